using System.Text;

namespace StableTune.Formats;

/// <summary>
/// Writes tables as TOML 1.0. Keys stand in the order in which they were added, except that TOML wants single values before
/// tables; tables in a list below another are indented, so that a data set's subsets stand below it. Equal tables give equal files.
/// </summary>
public static class TomlWriter
{
    // Tomlyn's writer keeps the text of a tree that it read; for tables made by code it has neither the indents nor the comments.

    /// <summary>Lists longer than this take a line for each value.</summary>
    private const int LineLength = 110;

    /// <summary>Writes a file: UTF-8, complete or absent.</summary>
    /// <param name="path">The file; its folder is created when missing.</param>
    /// <param name="root">What it is to hold.</param>
    /// <exception cref="ArgumentException">A value cannot be written: <see cref="TomlKind.Null"/>, broken UTF-16, or tables within each
    /// other without end.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void WriteFile(string path, TomlTable root) => AtomicFile.WriteText(path, Write(root));

    /// <summary>The text of a file.</summary>
    /// <param name="root">What it is to hold.</param>
    /// <exception cref="ArgumentException">As <see cref="WriteFile"/>.</exception>
    public static string Write(TomlTable root)
    {
        ArgumentNullException.ThrowIfNull(root);
        var text = new StringBuilder();
        WriteBody(text, root, "", indent: 0, depth: 0);
        return text.ToString();
    }

    /// <summary>A value on one line, for files (strict) or for messages.</summary>
    internal static string Inline(TomlValue value, bool strict = false)
    {
        var text = new StringBuilder();
        TomlNotation.Append(text, value, strict);
        return text.ToString();
    }

    /// <summary>Writes the single values of a table, then the tables below it with their headers.</summary>
    private static void WriteBody(StringBuilder text, TomlTable table, string prefix, int indent, int depth)
    {
        if (depth > TomlDocument.MaximumDepth)
            throw new ArgumentException($"Tables are nested more than {TomlDocument.MaximumDepth} deep: no reader would take that.",
                nameof(table));
        foreach (var entry in table)
            if (!IsSection(entry.Value)) WriteValue(text, entry, indent);
        foreach (var entry in table)
        {
            if (!IsSection(entry.Value)) continue;
            var name = prefix + TomlNotation.Key(entry.Key);
            if (entry.Value is TomlTable below) WriteTable(text, below, entry, name, indent, depth + 1);
            else WriteTables(text, (TomlArray)entry.Value, entry, name, prefix.Length == 0 ? 0 : indent + 2, depth + 1);
        }
    }

    private static void WriteTable(StringBuilder text, TomlTable table, TomlEntry entry, string name, int indent, int depth)
    {
        // A table that only holds tables needs no header of its own.
        var needed = table.Count == 0 || entry.Comment is not null;
        foreach (var below in table) needed |= !IsSection(below.Value);
        if (needed) WriteHeader(text, entry.Comment, $"[{name}]", indent);
        WriteBody(text, table, name + ".", indent, depth);
    }

    private static void WriteTables(StringBuilder text, TomlArray tables, TomlEntry entry, string name, int indent, int depth)
    {
        var comment = entry.Comment;
        foreach (var item in tables)
        {
            WriteHeader(text, comment, $"[[{name}]]", indent);
            WriteBody(text, (TomlTable)item, name + ".", indent, depth);
            comment = null;
        }
    }

    private static void WriteHeader(StringBuilder text, string? comment, string header, int indent)
    {
        if (text.Length > 0) text.Append('\n');
        WriteComment(text, comment, indent);
        text.Append(' ', indent).Append(header).Append('\n');
    }

    private static void WriteValue(StringBuilder text, TomlEntry entry, int indent)
    {
        WriteComment(text, entry.Comment, indent);
        var key = TomlNotation.Key(entry.Key);
        text.Append(' ', indent).Append(key).Append(" = ");
        if (entry.Value is TomlScalar { Value: string several } && several.Contains('\n', StringComparison.Ordinal))
            TomlNotation.AppendLines(text, several);
        else
        {
            var line = Inline(entry.Value, strict: true);
            if (entry.Value is TomlArray { Count: > 1 } list && indent + key.Length + 3 + line.Length > LineLength)
                WriteLongList(text, list, indent);
            else text.Append(line);
        }

        text.Append('\n');
    }

    private static void WriteLongList(StringBuilder text, TomlArray list, int indent)
    {
        text.Append("[\n");
        foreach (var item in list)
        {
            text.Append(' ', indent + 2);
            TomlNotation.Append(text, item, strict: true, depth: 1);
            text.Append(",\n");
        }

        text.Append(' ', indent).Append(']');
    }

    private static void WriteComment(StringBuilder text, string? comment, int indent)
    {
        if (comment is null) return;
        foreach (var line in comment.ReplaceLineEndings("\n").Split('\n'))
            text.Append(' ', indent).Append(TomlNotation.Comment(line)).Append('\n');
    }

    /// <summary>Whether a value gets headers: a table, or a list of nothing but tables, unless written in braces.</summary>
    private static bool IsSection(TomlValue value)
    {
        if (value is TomlTable table) return !table.Inline;
        if (value is not TomlArray { Count: > 0 } list) return false;
        foreach (var item in list)
            if (item is not TomlTable { Inline: false }) return false;
        return true;
    }
}

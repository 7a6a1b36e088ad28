using Tomlyn.Syntax;

namespace StableTune.Formats;

/// <summary>
/// Refuses what Tomlyn reads though TOML 1.0 does not have it, for the most part what TOML 1.1 adds. The Python tools that share these
/// files stop at it, and a file that works here is to work there.
/// </summary>
internal static class TomlNovelties
{
    /// <summary>Refuses the escapes <c>\e</c> and <c>\x41</c>, and texts in one quote that go on behind a backslash at the end of a
    /// line.</summary>
    public static void Refuse(StringValueSyntax text, TomlPlaces places)
    {
        var written = text.Token!.Text!;
        if (written[0] != '"') return;
        if (written.Contains('\r', StringComparison.Ordinal))
            throw places.Fault(text, "the text that begins here holds a carriage return.", "Write \\r.");
        if (!written.StartsWith("\"\"\"", StringComparison.Ordinal) && written.Contains('\n', StringComparison.Ordinal))
            throw places.Fault(text, "the text that begins here does not end on its line.",
                "Close it with the same quote, or use three quotes for several lines.");
        for (var at = written.IndexOf('\\', StringComparison.Ordinal); at >= 0
            && at + 1 < written.Length; at = written.IndexOf('\\', at + 2))
            if (!IsEscape(written.AsSpan(at + 1)))
                throw places.Fault(places.At(text.Span.Start.Offset + at + 1),
                    $"found '{written[at + 1]}' behind a backslash, which is no escape.", TomlRemedies.Escapes);
    }

    /// <summary>Refuses times without seconds, and underscores in years.</summary>
    public static void Refuse(DateTimeValueSyntax time, TomlPlaces places)
    {
        var written = time.Token!.Text!;
        if (written.Contains('_', StringComparison.Ordinal))
            throw places.Fault(time, $"found '{written}', a date with an underscore.", TomlRemedies.Dates);
        var colon = written.IndexOf(':', StringComparison.Ordinal);
        if (colon >= 0 && (written.Length <= colon + 3 || written[colon + 3] != ':'))
            throw places.Fault(time, $"found '{written}', a time without seconds.", TomlRemedies.Dates);
    }

    /// <summary>Of what Tomlyn takes behind a backslash, whether TOML 1.0 has it: blanks only before the end of a line.</summary>
    private static bool IsEscape(ReadOnlySpan<char> behind) =>
        behind[0] is not ('e' or 'x' or ' ' or '\t') || behind.TrimStart(" \t") is ['\n', ..];

    /// <summary>Refuses tables in braces that go over lines, or end in a comma.</summary>
    public static void Refuse(InlineTableSyntax table, TomlPlaces places)
    {
        var line = table.OpenBrace!.Span.Start.Line;
        SyntaxToken? comma = null;
        foreach (var item in table.Items)
        {
            CheckLine(item.KeyValue!, places, ref line);
            comma = item.Comma;
            if (comma is not null) CheckLine(comma, places, ref line);
        }

        CheckLine(table.CloseBrace!, places, ref line);
        if (comma is not null) throw places.Fault(comma, "a table in braces has no comma behind its last value.", TomlRemedies.Braces);
    }

    /// <summary>A part must begin on the line where the one before it ended; a value in it may go over lines.</summary>
    private static void CheckLine(SyntaxNode part, TomlPlaces places, ref int line)
    {
        if (part.Span.Start.Line != line)
            throw places.Fault(part, "found the end of the line inside a table in braces.", TomlRemedies.Braces);
        line = part.Span.End.Line;
    }
}

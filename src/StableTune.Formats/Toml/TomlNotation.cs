using System.Globalization;
using System.Text;

namespace StableTune.Formats;

/// <summary>How single values, keys and comments are written in TOML.</summary>
internal static class TomlNotation
{
    /// <summary>What stands for bytes that are no text: Tomlyn takes the sign itself, unescaped, for such a place.</summary>
    private const char Replacement = '\uFFFD';

    /// <summary>A key, in quotes where it must be.</summary>
    public static string Key(string key, bool strict = true)
    {
        var bare = key.Length > 0;
        foreach (var c in key) bare &= char.IsAsciiLetterOrDigit(c) || c is '_' or '-';
        if (bare) return key;
        var text = new StringBuilder();
        AppendText(text, key, strict);
        return text.ToString();
    }

    /// <summary>One line of a comment; control characters, which may not stand there, become blanks.</summary>
    public static string Comment(string line)
    {
        var text = new StringBuilder(line.Length == 0 ? "#" : "# ");
        foreach (var c in line) text.Append(c is < ' ' and not '\t' or '\x7F' ? ' ' : c);
        CheckUnicode(line);
        return text.ToString();
    }

    /// <summary>Any value, on one line.</summary>
    /// <param name="text">What it is appended to.</param>
    /// <param name="value">The value.</param>
    /// <param name="strict">Whether to refuse what no file can hold; messages show it as well as can be.</param>
    /// <param name="depth">How deep the value lies in others.</param>
    public static void Append(StringBuilder text, TomlValue value, bool strict, int depth = 0)
    {
        if (depth > TomlDocument.MaximumDepth)
            throw new ArgumentException(
                $"Lists and tables are nested more than {TomlDocument.MaximumDepth} deep: no reader would take that.", nameof(value));
        switch (value)
        {
            case TomlArray list: AppendList(text, list, strict, depth + 1); break;
            case TomlTable table: AppendTable(text, table, strict, depth + 1); break;
            case TomlScalar { Value: string written }: AppendText(text, written, strict); break;
            case TomlScalar { Kind: TomlKind.Null } when strict:
                throw new ArgumentException("TOML has no empty value: leave the key out.", nameof(value));
            case TomlScalar scalar: text.Append(Scalar(scalar.Value)); break;
        }
    }

    /// <summary>A text over several lines, in three double quotes.</summary>
    public static void AppendLines(StringBuilder text, string value)
    {
        CheckUnicode(value);
        text.Append("\"\"\"\n");
        var before = '\0';
        for (var i = 0; i < value.Length; i++)
        {
            var c = value[i];
            // Two quotes in a row, or one at the end, could be taken for the closing ones.
            if (c == '\n') text.Append(c);
            else if (c == '"' && before != '"' && i < value.Length - 1) text.Append(c);
            else AppendEscaped(text, c);
            before = c;
        }

        text.Append("\"\"\"");
    }

    private static void AppendList(StringBuilder text, TomlArray list, bool strict, int depth)
    {
        text.Append('[');
        for (var i = 0; i < list.Count; i++)
        {
            if (i > 0) text.Append(", ");
            Append(text, list[i], strict, depth);
        }

        text.Append(']');
    }

    private static void AppendTable(StringBuilder text, TomlTable table, bool strict, int depth)
    {
        var first = true;
        foreach (var entry in table)
        {
            text.Append(first ? "{ " : ", ").Append(Key(entry.Key, strict)).Append(" = ");
            Append(text, entry.Value, strict, depth);
            first = false;
        }

        text.Append(first ? "{}" : " }");
    }

    /// <summary>A text on one line: in single quotes where that saves escaping backslashes, as in Windows paths.</summary>
    private static void AppendText(StringBuilder text, string value, bool strict)
    {
        if (strict) CheckUnicode(value);
        var literal = value.Contains('\\', StringComparison.Ordinal);
        foreach (var c in value) literal &= c is >= ' ' and not ('\'' or '\x7F' or Replacement);
        if (literal)
        {
            text.Append('\'').Append(value).Append('\'');
            return;
        }

        text.Append('"');
        foreach (var c in value) AppendEscaped(text, c);
        text.Append('"');
    }

    private static void AppendEscaped(StringBuilder text, char c)
    {
        _ = c switch
        {
            '"' => text.Append("\\\""),
            '\\' => text.Append("\\\\"),
            '\n' => text.Append("\\n"),
            '\r' => text.Append("\\r"),
            '\t' => text.Append("\\t"),
            '\b' => text.Append("\\b"),
            '\f' => text.Append("\\f"),
            < ' ' or '\x7F' or Replacement => text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:X4}"),
            _ => text.Append(c),
        };
    }

    private static string Scalar(object? value) => value switch
    {
        bool truth => truth ? "true" : "false",
        long whole => whole.ToString(CultureInfo.InvariantCulture),
        double number => Float(number),
        DateTimeOffset time => time.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF", CultureInfo.InvariantCulture) + Offset(time.Offset),
        DateTime time => time.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF", CultureInfo.InvariantCulture),
        DateOnly date => date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        TimeOnly time => time.ToString("HH:mm:ss.FFFFFFF", CultureInfo.InvariantCulture),
        _ => "null",
    };

    private static string Float(double number)
    {
        if (double.IsNaN(number)) return "nan";
        if (double.IsInfinity(number)) return number > 0 ? "inf" : "-inf";
        var text = number.ToString("R", CultureInfo.InvariantCulture);
        return text.AsSpan().ContainsAny('.', 'E') ? text.Replace('E', 'e') : text + ".0";
    }

    private static string Offset(TimeSpan offset) =>
        offset == TimeSpan.Zero ? "Z" : (offset < TimeSpan.Zero ? "-" : "+") + offset.ToString("hh\\:mm", CultureInfo.InvariantCulture);

    private static void CheckUnicode(string value)
    {
        for (var i = 0; i < value.Length; i++)
        {
            if (!char.IsSurrogate(value[i])) continue;
            if (i + 1 >= value.Length || !char.IsSurrogatePair(value[i], value[i + 1]))
                throw new ArgumentException($"A text holds half of a surrogate pair, at {i}: it cannot be written as UTF-8.",
                    nameof(value));
            i++;
        }
    }
}

using Tomlyn.Syntax;

namespace StableTune.Formats;

/// <summary>
/// Refuses what TOML 1.1 allows and TOML 1.0 does not. Tomlyn reads both, but the Python tools that share these files stop at it, so
/// that a file that works here works there.
/// </summary>
internal static class TomlNovelties
{
    /// <summary>Refuses the escapes <c>\e</c> and <c>\x41</c>.</summary>
    public static void Refuse(StringValueSyntax text, TomlPlaces places)
    {
        var written = text.Token!.Text!;
        if (written[0] != '"') return;
        for (var at = written.IndexOf('\\', StringComparison.Ordinal); at >= 0 && at + 1 < written.Length; at = written.IndexOf('\\', at + 2))
            if (written[at + 1] is 'e' or 'x')
                throw places.Fault(places.At(text.Span.Start.Offset + at + 1), $"found '{written[at + 1]}' behind a backslash, which is no escape.", TomlRemedies.Escapes);
    }

    /// <summary>Refuses times without seconds.</summary>
    public static void Refuse(DateTimeValueSyntax time, TomlPlaces places)
    {
        var written = time.Token!.Text!;
        var colon = written.IndexOf(':', StringComparison.Ordinal);
        if (colon >= 0 && (written.Length <= colon + 3 || written[colon + 3] != ':'))
            throw places.Fault(time, $"found '{written}', a time without seconds.", TomlRemedies.Dates);
    }

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
        if (part.Span.Start.Line != line) throw places.Fault(part, "found the end of the line inside a table in braces.", TomlRemedies.Braces);
        line = part.Span.End.Line;
    }
}

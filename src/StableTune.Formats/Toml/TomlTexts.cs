using System.Globalization;
using System.Text;

namespace StableTune.Formats;

/// <summary>Reads TOML's four kinds of texts: in double or single quotes, on one line or several.</summary>
internal static class TomlTexts
{
    private const string Escapes = "Known escapes are \\b \\t \\n \\f \\r \\\" \\\\ \\uXXXX \\UXXXXXXXX; in single quotes a backslash is an ordinary character.";

    /// <summary>Reads the text that begins at the source's place with a quote.</summary>
    public static string Read(TomlSource source)
    {
        var start = source.Position;
        if (source.TryTake("\"\"\"")) return ReadLines(source, start, '"');
        if (source.TryTake("'''")) return ReadLines(source, start, '\'');
        return ReadLine(source, start);
    }

    private static string ReadLine(TomlSource source, TomlPosition start)
    {
        var quote = source.Peek();
        source.Skip();
        var text = new StringBuilder();
        while (!source.TryTake(quote))
        {
            if (source.AtEnd || source.Peek() == '\n' || (source.Peek() == '\r' && source.Peek(1) == '\n'))
                throw source.Fault(start, $"the text that begins here does not end on its line: found {source.Found()} where {(quote == '"' ? "'\"'" : "a single quote")} was expected.",
                    "Close it with the same quote, or use three quotes for several lines.");
            if (quote == '"' && source.TryTake('\\')) ReadEscape(source, text);
            else TakeCharacter(source, text);
        }

        return text.ToString();
    }

    private static string ReadLines(TomlSource source, TomlPosition start, char quote)
    {
        source.TryTakeLineEnd();                            // the line end right behind the quotes does not belong to the text
        var text = new StringBuilder();
        while (true)
        {
            if (source.AtEnd)
                throw source.Fault(start, "the text that begins here does not end: found the end of the file where three quotes were expected.",
                    "Close it with three quotes.");
            if (source.TryTakeLineEnd()) text.Append('\n');
            else if (source.Peek() == quote && source.Peek(1) == quote && source.Peek(2) == quote) break;
            else if (quote == '"' && source.TryTake('\\')) ReadEscapeOrLineEnd(source, text);
            else TakeCharacter(source, text);
        }

        // One or two quotes right before the closing three belong to the text.
        for (var inside = 0; inside < 2 && source.Peek(3) == quote; inside++, source.Skip()) text.Append(quote);
        source.Skip(3);
        return text.ToString();
    }

    private static void TakeCharacter(TomlSource source, StringBuilder text)
    {
        source.CheckCharacter("a text");
        text.Append(source.Peek());
        source.Skip();
    }

    /// <summary>A backslash at the end of a line joins it with the next line that is not blank.</summary>
    private static void ReadEscapeOrLineEnd(TomlSource source, StringBuilder text)
    {
        var blanks = 0;
        while (source.Peek(blanks) is ' ' or '\t') blanks++;
        if (source.Peek(blanks) == '\n' || (source.Peek(blanks) == '\r' && source.Peek(blanks + 1) == '\n'))
        {
            do source.SkipBlanks();
            while (source.TryTakeLineEnd());
        }
        else
            ReadEscape(source, text);
    }

    private static void ReadEscape(TomlSource source, StringBuilder text)
    {
        var c = source.Peek();
        var replaced = c switch
        {
            'b' => '\b', 't' => '\t', 'n' => '\n', 'f' => '\f', 'r' => '\r', '"' => '"', '\\' => '\\', _ => '\0',
        };
        if (replaced != '\0')
        {
            source.Skip();
            text.Append(replaced);
        }
        else if (c is 'u' or 'U')
            text.Append(ReadCodePoint(source, c == 'u' ? 4 : 8).ToString());
        else
            throw source.Fault(source.Position, $"found {source.Found()} behind a backslash, which is no escape.", Escapes);
    }

    private static Rune ReadCodePoint(TomlSource source, int digits)
    {
        var position = source.Position;
        source.Skip();
        uint code = 0;
        for (var i = 0; i < digits; i++, source.Skip())
        {
            if (!char.IsAsciiHexDigit(source.Peek()))
                throw source.Unexpected($"a hexadecimal digit ({digits} stand behind \\{(digits == 4 ? 'u' : 'U')})", Escapes);
            code = code << 4 | uint.Parse([source.Peek()], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        }

        return Rune.TryCreate(code, out var rune) ? rune : throw source.Fault(position,
            $"the escape names {code:X}, which is no Unicode character.", "Characters lie in 0..D7FF and E000..10FFFF.");
    }
}

namespace StableTune.Formats;

/// <summary>Turns ascending byte offsets of a UTF-8 text into lines and columns, each byte looked at once.</summary>
internal ref struct Utf8Positions(ReadOnlySpan<byte> text)
{
    private readonly ReadOnlySpan<byte> _text = text;
    private int _at, _line = 1, _column = 1;

    /// <summary>The position given last.</summary>
    public readonly TomlPosition Last => new(_line, _column);

    /// <summary>The position of a byte; not before the one asked for last.</summary>
    public TomlPosition At(long offset)
    {
        for (; _at < offset && _at < _text.Length; _at++)
        {
            if (_text[_at] == (byte)'\n') (_line, _column) = (_line + 1, 1);
            else _column += Units(_text[_at]);
        }

        return Last;
    }

    /// <summary>The column of a byte in a line, both from 0; the column from 1.</summary>
    public static int ColumnInLine(ReadOnlySpan<byte> text, int line, int byteInLine)
    {
        for (; line > 0 && text.IndexOf((byte)'\n') is >= 0 and var end; line--) text = text[(end + 1)..];
        var column = 1;
        foreach (var value in text[..Math.Clamp(byteInLine, 0, text.Length)]) column += Units(value);
        return column;
    }

    /// <summary>How many UTF-16 units begin with this byte: none in the middle of a character, two for one of four bytes.</summary>
    private static int Units(byte value) => value is >= 0x80 and < 0xC0 ? 0 : value >= 0xF0 ? 2 : 1;
}

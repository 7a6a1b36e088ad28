namespace StableTune.Imaging;

/// <summary>A font of one width for labels: 5x7 dots in a cell of 6x10, printable ASCII, a box for everything else.</summary>
internal static partial class BitmapFont
{
    /// <summary>Dots from one character to the next.</summary>
    internal const int CellWidth = 6;

    /// <summary>Dots from one line to the next.</summary>
    internal const int CellHeight = 10;

    /// <summary>Dots from the top of capitals to the base line.</summary>
    internal const int CapitalHeight = 7;

    private static readonly byte[][] s_glyphs = [.. Art.Select(Rows)];
    private static readonly byte[] s_unknown = Rows(UnknownArt);

    /// <summary>A glyph's rows from the top, 7 or 9; bit 4 is the leftmost of five dots.</summary>
    internal static ReadOnlySpan<byte> Glyph(char character)
        => character - ' ' is var index && index >= 0 && index < s_glyphs.Length ? s_glyphs[index] : s_unknown;

    /// <summary>Dots that a line of text takes, without the gap behind its last character.</summary>
    internal static int Measure(string text) => text.Length == 0 ? 0 : (text.Length * CellWidth) - 1;

    /// <summary>Breaks a text at blanks, and inside words that are longer than a line; what does not fit ends in three dots.</summary>
    internal static IReadOnlyList<string> Wrap(string text, int columns, int maxLines)
    {
        if (columns < 4) columns = 4;
        var (lines, rest) = (new List<string>(), string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)));
        while (rest.Length > 0 && lines.Count < maxLines)
        {
            if (rest.Length <= columns)
            {
                lines.Add(rest);
                return lines;
            }

            var last = lines.Count == maxLines - 1;
            var cut = last ? columns - 3 : rest.LastIndexOf(' ', columns);
            if (cut <= 0) cut = columns;
            lines.Add(rest[..cut].TrimEnd() + (last ? "..." : ""));
            rest = rest[cut..].TrimStart();
        }

        return lines;
    }

    private static byte[] Rows(string art)
        => [.. art.Split(' ').Select(row => (byte)row.Aggregate(0, (bits, dot) => (bits << 1) | (dot == '#' ? 1 : 0)))];
}

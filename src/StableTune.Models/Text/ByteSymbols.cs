using System.Text;

namespace StableTune.Models;

/// <summary>The printable stand-ins of the 256 bytes, in which CLIP's vocabulary (as GPT-2's) is written.</summary>
internal static class ByteSymbols
{
    private static readonly char[] Symbols = Build();

    /// <summary>The stand-in of each byte: itself where it is a printable Latin-1 character, else U+0100 and following.</summary>
    public static IReadOnlyList<char> OfByte => Symbols;

    /// <summary>The stand-ins in the order of the vocabulary: the printable ones first, then the substitutes.</summary>
    public static IReadOnlyList<char> InVocabularyOrder { get; } =
        [.. OfByte.Where(c => c < 0x100).Order(), .. OfByte.Where(c => c >= 0x100).Order()];

    /// <summary>Writes the stand-ins of a text's UTF-8 bytes; half surrogate pairs count as U+FFFD.</summary>
    /// <param name="text">Any text.</param>
    /// <param name="into">Has a place for each byte.</param>
    /// <returns>The number of bytes.</returns>
    public static int Write(ReadOnlySpan<char> text, Span<char> into)
    {
        var count = 0;
        Span<byte> bytes = stackalloc byte[4];
        foreach (var rune in text.EnumerateRunes())
            foreach (var value in bytes[..rune.EncodeToUtf8(bytes)]) into[count++] = Symbols[value];
        return count;
    }

    private static char[] Build()
    {
        var symbols = new char[256];
        var substitute = 0x100;
        for (var value = 0; value < symbols.Length; value++)
        {
            var printable = value is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE;
            symbols[value] = (char)(printable ? value : substitute++);
        }

        return symbols;
    }
}

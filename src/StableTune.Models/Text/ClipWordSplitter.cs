using System.Globalization;
using System.Text;

namespace StableTune.Models;

/// <summary>Brings text into CLIP's plain form and splits it into words.</summary>
/// <remarks>
/// The words are those of <c>'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+</c>, scanned by hand: .NET's expressions see half
/// surrogate pairs as letters of no kind, and a scan costs the same for every text.
/// </remarks>
internal static class ClipWordSplitter
{
    private static readonly string[] Contractions = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];

    /// <summary>What the word patterns of byte-pair tokenizers tell apart.</summary>
    internal enum Kind { Space, Letter, Number, Other }

    private static readonly Kind[] AsciiKinds = [.. Enumerable.Range(0, 128).Select(code => KindOf(new Rune(code)))];

    /// <summary>Form C and lower case, as <c>transformers</c>' normaliser; white space is left for <see cref="Next"/> to skip.</summary>
    public static string Normalize(string text)
    {
        if (Ascii.IsValid(text)) return text.ToLowerInvariant();
        var composed = UnicodeNormalizer.FormC(text);
        var plain = new StringBuilder(composed.Length);
        Span<char> units = stackalloc char[2];
        foreach (var rune in composed.EnumerateRunes())
        {
            if (rune.Value == 0x130) plain.Append("i\u0307");   // the one letter whose lower case has two code points
            else plain.Append(units[..Rune.ToLowerInvariant(rune).EncodeToUtf16(units)]);
        }

        return plain.ToString();
    }

    /// <summary>The next word at or after a position; empty at the end of the text.</summary>
    /// <param name="text">In the form that <see cref="Normalize"/> gives.</param>
    /// <param name="position">Moves behind the word.</param>
    public static ReadOnlySpan<char> Next(ReadOnlySpan<char> text, ref int position)
    {
        int width;
        Kind kind;
        while ((kind = KindAt(text, position, out width)) == Kind.Space && width > 0) position += width;
        if (width == 0) return [];

        var start = position;
        var contraction = ContractionAt(text, start);
        position += contraction > 0 ? contraction : width;
        if (contraction > 0) return text[start..position];
        if (kind == Kind.Number) return text[start..position];
        while (KindAt(text, position, out width) == kind && width > 0) position += width;
        return text[start..position];
    }

    /// <summary>The length of the contraction at a position, such as "'ll"; 0 where there is none.</summary>
    internal static int ContractionAt(ReadOnlySpan<char> text, int position)
    {
        if (position >= text.Length || text[position] != '\'') return 0;
        foreach (var contraction in Contractions)
            if (text[position..].StartsWith(contraction, StringComparison.Ordinal)) return contraction.Length;
        return 0;
    }

    /// <summary>The kind of the character at a position; width 0 at the end of the text.</summary>
    internal static Kind KindAt(ReadOnlySpan<char> text, int position, out int width)
    {
        if (position >= text.Length)
        {
            width = 0;
            return Kind.Space;
        }

        width = 1;
        if (text[position] < AsciiKinds.Length) return AsciiKinds[text[position]];
        Rune.DecodeFromUtf16(text[position..], out var rune, out width);
        return KindOf(rune);
    }

    private static Kind KindOf(Rune rune)
    {
        if (Rune.IsWhiteSpace(rune)) return Kind.Space;
        return Rune.GetUnicodeCategory(rune) switch
        {
            UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
                or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Kind.Letter,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Kind.Number,
            _ => Kind.Other,
        };
    }
}

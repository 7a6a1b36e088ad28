using System.Globalization;
using System.Text;

namespace StableTune.Models;

/// <summary>BERT's plain form of texts, and their words: runs without white space, punctuation marks and Chinese characters on their
/// own.</summary>
/// <remarks>
/// Devlin et al. 2018, arXiv:1810.04805, and the BasicTokenizer published with it. Where accents are kept the text is brought to form C, as
/// <c>transformers</c>' own <c>BertTokenizer</c> does and its tokenizers-backed one does not. Lower case is taken letter by letter.
/// </remarks>
internal static class BertWordSplitter
{
    // CJK Unified Ideographs with extensions A to E, and both compatibility blocks. Not Hangul, not kana.
    private static readonly (int First, int Last)[] Ideographs =
    [
        (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
        (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
    ];

    /// <summary>The text as words are looked up in it: without control characters, ideographs between blanks, perhaps in lower case and
    /// without accents.</summary>
    public static string Normalize(string text, BertTokenizerOptions options)
    {
        var plain = new StringBuilder(text.Length + 16);
        foreach (var rune in text.EnumerateRunes())
        {
            if (rune.Value is 0 or 0xFFFD || IsControl(rune)) continue;
            if (Rune.IsWhiteSpace(rune)) plain.Append(' ');
            else if (options.SplitChineseCharacters && IsIdeograph(rune.Value)) plain.Append(' ').Append(rune.ToString()).Append(' ');
            else plain.Append(rune.ToString());
        }

        var stripped = options.StripAccents ?? options.LowerCase;
        var formed = stripped ? UnicodeNormalizer.FormD(plain.ToString()) : UnicodeNormalizer.FormC(plain.ToString());
        if (!options.LowerCase && !stripped) return formed;

        plain.Clear();
        foreach (var rune in formed.EnumerateRunes())
        {
            if (stripped && Rune.GetUnicodeCategory(rune) == UnicodeCategory.NonSpacingMark) continue;
            if (!options.LowerCase) plain.Append(rune.ToString());
            else if (rune.Value == 0x130) plain.Append("i\u0307");   // the one letter whose lower case has two code points
            else plain.Append(Rune.ToLowerInvariant(rune).ToString());
        }

        return plain.ToString();
    }

    /// <summary>The next word at or after a position; empty at the end of the text.</summary>
    /// <param name="text">In the form that <see cref="Normalize"/> gives.</param>
    /// <param name="position">Moves behind the word.</param>
    public static ReadOnlySpan<char> Next(ReadOnlySpan<char> text, ref int position)
    {
        while (position < text.Length && text[position] == ' ') position++;
        var start = position;
        while (position < text.Length && text[position] != ' ')
        {
            Rune.DecodeFromUtf16(text[position..], out var rune, out var width);
            if (IsPunctuation(rune))
            {
                if (position == start) position += width;
                break;
            }

            position += width;
        }

        return text[start..position];
    }

    /// <summary>Categories C* (control, format, private, surrogate, unassigned), but not tab and line ends.</summary>
    internal static bool IsControl(Rune rune) => rune.Value is not ('\t' or '\n' or '\r') && Rune.GetUnicodeCategory(rune) is
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse
        or UnicodeCategory.OtherNotAssigned;

    /// <summary>Categories P*, and all of ASCII that is neither letter, digit, blank nor control, such as "$" and "`".</summary>
    internal static bool IsPunctuation(Rune rune)
    {
        if (rune.IsAscii) return rune.Value is >= 33 and <= 47 or >= 58 and <= 64 or >= 91 and <= 96 or >= 123 and <= 126;
        return Rune.GetUnicodeCategory(rune) is
            UnicodeCategory.ConnectorPunctuation or UnicodeCategory.DashPunctuation or UnicodeCategory.OpenPunctuation
            or UnicodeCategory.ClosePunctuation
            or UnicodeCategory.InitialQuotePunctuation or UnicodeCategory.FinalQuotePunctuation or UnicodeCategory.OtherPunctuation;
    }

    internal static bool IsIdeograph(int code)
    {
        foreach (var (first, last) in Ideographs)
            if (code >= first && code <= last) return true;
        return false;
    }
}

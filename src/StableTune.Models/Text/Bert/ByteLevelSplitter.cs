namespace StableTune.Models;

/// <summary>Splits text into the words of GPT-2's and RoBERTa's tokenizers, which keep the blank before them.</summary>
/// <remarks>
/// The words of <c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c> (Radford et al. 2019), scanned by hand
/// for the reasons that <see cref="ClipWordSplitter"/> names. Nothing is lost: the words joined are the text.
/// </remarks>
internal static class ByteLevelSplitter
{
    /// <summary>The next word at a position; empty at the end of the text.</summary>
    /// <param name="text">Any text.</param>
    /// <param name="position">Moves behind the word.</param>
    public static ReadOnlySpan<char> Next(ReadOnlySpan<char> text, ref int position)
    {
        var start = position;
        if (ClipWordSplitter.ContractionAt(text, start) is > 0 and var contraction)
        {
            position += contraction;
            return text[start..position];
        }

        // One blank belongs to the word behind it.
        var first = start < text.Length && text[start] == ' ' ? start + 1 : start;
        var kind = ClipWordSplitter.KindAt(text, first, out var width);
        if (width > 0 && kind != ClipWordSplitter.Kind.Space) position = EndOfRun(text, first, kind);
        else position = EndOfSpace(text, start);
        return text[start..position];
    }

    /// <summary>White space up to the end of the text, or up to its last character before a word.</summary>
    private static int EndOfSpace(ReadOnlySpan<char> text, int start)
    {
        var end = EndOfRun(text, start, ClipWordSplitter.Kind.Space);
        return end < text.Length && end - start > 1 ? end - 1 : end;   // white space is one UTF-16 unit a character
    }

    private static int EndOfRun(ReadOnlySpan<char> text, int position, ClipWordSplitter.Kind kind)
    {
        while (ClipWordSplitter.KindAt(text, position, out var width) == kind && width > 0) position += width;
        return position;
    }
}

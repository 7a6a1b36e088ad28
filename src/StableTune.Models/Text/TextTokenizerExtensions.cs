namespace StableTune.Models;

/// <summary>What can be asked of any tokenizer.</summary>
public static class TextTokenizerExtensions
{
    /// <summary>The tokens of a text before anything is cut off, without start and end: what <c>MaxTokenLength</c> limits.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="text">Any text.</param>
    public static int CountTokens(this ITextTokenizer tokenizer, string text)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        return tokenizer.EncodeBody(text).Count;
    }
}

namespace StableTune;

/// <summary>Texts as messages show them: whole, or their beginning.</summary>
public static class ShortText
{
    /// <summary>The text, or so much of it and three dots.</summary>
    /// <param name="text">Any text.</param>
    /// <param name="most">Letters that are shown.</param>
    public static string Of(string text, int most = 60)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.Length <= most ? text : text[..most] + "...";
    }
}

namespace StableTune;

/// <summary>Which files beside an image are its caption: values for <see cref="SubsetOptions.CaptionExtensions"/>.</summary>
public static class CaptionFiles
{
    /// <summary><c>frog.caption</c> alone, as in sd-scripts: what is taken unless something else is asked for.</summary>
    public static IReadOnlyList<string> Default { get; } = [".caption"];

    /// <summary>
    /// <c>frog.caption</c>, or <c>frog.txt</c> where that does not exist. Taggers write <c>.txt</c> files too: tags then become captions.
    /// </summary>
    public static IReadOnlyList<string> Any { get; } = [".caption", ".txt"];
}

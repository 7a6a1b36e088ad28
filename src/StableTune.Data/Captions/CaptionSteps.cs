namespace StableTune.Data;

/// <summary>Puts a prefix before, and a suffix behind with one blank between.</summary>
internal sealed class AffixStep(string? prefix, string separator, string? suffix) : ICaptionStep
{
    public VaryingOption? VariesBecauseOf => null;

    public string Apply(string caption, in CaptionUse use)
    {
        if (!string.IsNullOrEmpty(prefix)) caption = prefix + separator + caption;
        return string.IsNullOrEmpty(suffix) ? caption : caption + " " + suffix;
    }
}

/// <summary>Drops the caption with a probability.</summary>
internal sealed class DropoutStep(double rate) : ICaptionStep
{
    public VaryingOption? VariesBecauseOf { get; } = new("CaptionOptions.DropoutRate", rate);

    public string? Apply(string caption, in CaptionUse use) => use.Random.NextDouble() < rate ? null : caption;
}

/// <summary>Drops all captions of every n-th epoch.</summary>
internal sealed class EpochDropoutStep(int everyNEpochs) : ICaptionStep
{
    public VaryingOption? VariesBecauseOf { get; } = new("CaptionOptions.DropoutEveryNEpochs", everyNEpochs);

    public string? Apply(string caption, in CaptionUse use) => use.Epoch % everyNEpochs == 0 ? null : caption;
}

/// <summary>Keeps the first line.</summary>
internal sealed class FirstLineStep : ICaptionStep
{
    public VaryingOption? VariesBecauseOf => null;

    public string Apply(string caption, in CaptionUse use)
    {
        var end = caption.IndexOf('\n', StringComparison.Ordinal);
        return end < 0 ? caption : caption[..end];
    }
}

/// <summary>Replaces a text by another.</summary>
internal sealed class ReplaceStep(string text, string replacement) : ICaptionStep
{
    public VaryingOption? VariesBecauseOf => null;

    public string Apply(string caption, in CaptionUse use) => caption.Replace(text, replacement, StringComparison.Ordinal);
}

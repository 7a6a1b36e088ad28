namespace StableTune;

/// <summary>What <see cref="Data.TrainingDataset.Check"/> looks at, and where odd begins.</summary>
public sealed record DatasetCheckOptions : OptionsBase
{
    /// <summary>
    /// Counts the tokens of a caption, start and end not included; give a tokenizer's. Null leaves their number unchecked.
    /// </summary>
    public Func<string, int>? CountTokens { get; init; }

    /// <summary>The tokens that the text encoder sees: 75, 150, 225. Null, the default, for the run's where one is checked, else
    /// 75.</summary>
    public int? MaxTokens { get; init; }

    internal int EffectiveMaxTokens => MaxTokens ?? 75;

    /// <summary>
    /// Whether pixels are read, which finds files that were cut short and images that look alike. Default true; false looks at headers
    /// only.
    /// </summary>
    public bool ReadPixels { get; init; } = true;

    /// <summary>Longer side over shorter side beyond which a shape is odd. Default 3.</summary>
    public double LargestAspect { get; init; } = 3;

    /// <summary>Factor beyond which an enlargement is odd. Default 1: any.</summary>
    public double LargestEnlargement { get; init; } = 1;

    /// <summary>Share of the picture that may be cut away. Default 0.3.</summary>
    public double LargestCropLoss { get; init; } = 0.3;

    /// <summary>Pixels beyond which an image is better shrunk before it is trained. Default 9,000,000: about 3000 x 3000.</summary>
    public long LargestImagePixels { get; init; } = 3000 * 3000;

    /// <summary>Share of the pixels that may be transparent (by more than a half). Default 0: none.</summary>
    public double LargestTransparency { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (MaxTokens < 1) yield return Problem(MaxTokens, "the text encoder sees at least 1 token", "75 is customary");
        if (!(LargestAspect >= 1)) yield return Problem(LargestAspect, "the ratio of the sides is at least 1", "3 is customary");
        if (!(LargestEnlargement > 0))
            yield return Problem(LargestEnlargement, "the factor must be positive", "1 warns of any enlargement");
        if (LargestCropLoss is not (>= 0 and <= 1))
            yield return Problem(LargestCropLoss, "the share must be within 0 and 1", "0.3 is customary");
        if (LargestImagePixels < 1) yield return Problem(LargestImagePixels, "an image has at least 1 pixel", "9000000 is the default");
        if (LargestTransparency is not (>= 0 and <= 1))
            yield return Problem(LargestTransparency, "the share must be within 0 and 1", "0 warns of any");
    }
}

namespace StableTune;

/// <summary>What the preview of a data set shows.</summary>
public sealed record PreviewOptions : OptionsBase
{
    /// <summary>The page's title.</summary>
    public string Title { get; init; } = "Data set";

    /// <summary>Epochs whose captions and mirror images are shown, from the first. Default 3.</summary>
    public int Epochs { get; init; } = 3;

    /// <summary>The longer side of a thumbnail in pixels. Default 224.</summary>
    public int ThumbnailSide { get; init; } = 224;

    /// <summary>Images shown at most; the tables count all. Default 400.</summary>
    public int MaxImages { get; init; } = 400;

    /// <summary>The seed of the run that is to be shown. Null, the default, for the run's where one is previewed, else 42.</summary>
    public long? Seed { get; init; }

    /// <summary>Optimizer steps of the run, where token warm-up is a share of them. Null, the default, for the run's where one is
    /// previewed, else not known.</summary>
    public int? TotalSteps { get; init; }

    /// <summary>Whether a page that stands at the path is replaced, once the new one is complete. Default false: it is an error.</summary>
    public bool Overwrite { get; init; }

    internal long EffectiveSeed => Seed ?? 42;

    /// <summary>What counts as odd, and how tokens are counted.</summary>
    public DatasetCheckOptions Check { get; init; } = new();

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Epochs is < 1 or > 100) yield return Problem(Epochs, "the number of epochs must be within 1 and 100", "3 shows what varies");
        if (ThumbnailSide is < 16 or > 2048)
            yield return Problem(ThumbnailSide, "the side must be within 16 and 2048 pixels", "224 is customary");
        if (MaxImages < 1) yield return Problem(MaxImages, "at least 1 image is to be shown", "400 keeps the page small");
        foreach (var problem in Check.Validate()) yield return problem;
    }
}

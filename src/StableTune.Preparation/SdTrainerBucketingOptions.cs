using StableTune.Data;

namespace StableTune.Preparation;

/// <summary>How sd-trainer's <c>bucketing.py</c> sorts a folder of images into sizes.</summary>
public sealed record SdTrainerBucketingOptions : OptionsBase
{
    /// <summary>The folder of the images, not searched any deeper; required.</summary>
    public string? Source { get; init; }

    /// <summary>The folder to write images and <c>buckets.json</c> into; created when missing; required.</summary>
    public string? Destination { get; init; }

    /// <summary>The side of the square whose area the sizes have. Default 768.</summary>
    public int Resolution { get; init; } = 768;

    /// <summary>Limits of the sizes.</summary>
    public SdTrainerBuckets Buckets { get; init; } = new();

    /// <summary>
    /// Whether images and a list that are there already are written again. Without it the tool says so and does not begin.
    /// </summary>
    public bool Overwrite { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in FolderRules.OfImages("SdTrainerBucketingOptions.Source", Source)) yield return problem;
        foreach (var problem in FolderRules.OfResults("SdTrainerBucketingOptions.Destination", Destination, Source)) yield return problem;
        if (Resolution < 64 || Resolution % 8 != 0)
            yield return Problem(Resolution, "the side must be a multiple of 8 and at least 64", "768 is customary");
        else foreach (var problem in Buckets.Validate(new(Resolution, Resolution))) yield return problem;
    }
}

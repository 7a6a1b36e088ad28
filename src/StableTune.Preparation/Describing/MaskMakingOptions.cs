using StableTune.Data;

namespace StableTune.Preparation;

/// <summary>How masks are made of the images of a folder.</summary>
public sealed record MaskMakingOptions : OptionsBase
{
    /// <summary>The folder of the images, not searched any deeper; required.</summary>
    public string? Source { get; init; }

    /// <summary>The folder to write into, another one; created when missing; required.</summary>
    public string? Destination { get; init; }

    /// <summary>Images that the model is shown at once. Twice as many are in memory. Default 1.</summary>
    public int BatchSize { get; init; } = 1;

    /// <summary>Threads that read images ahead of the model. Default one less than the processors.</summary>
    public int Workers { get; init; } = new BatchLoaderOptions().Workers;

    /// <summary>
    /// Whether results that are there already are written again. Without this and <see cref="KeepExisting"/> the tool says so and does not
    /// begin.
    /// </summary>
    public bool Overwrite { get; init; }

    /// <summary>Whether results that are there already stay and their images are left out, as where work was interrupted.</summary>
    public bool KeepExisting { get; init; }

    /// <summary>Whether photographs are turned as their EXIF orientation says; give what the data set has. Default true.</summary>
    public bool ApplyExifOrientation { get; init; } = true;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Overwrite && KeepExisting)
            yield return Problem(KeepExisting, "results cannot be both kept and written again", "set one of the two");
        foreach (var problem in FolderRules.OfImages("MaskMakingOptions.Source", Source)) yield return problem;
        foreach (var problem in FolderRules.OfResults("MaskMakingOptions.Destination", Destination, Source)) yield return problem;
        if (BatchSize < 1) yield return Problem(BatchSize, "at least 1 image is shown at once", "1 always works");
        if (Workers < 0)
            yield return Problem(Workers, "the number of threads must not be negative", "0 reads images in the calling thread");
    }
}

using StableTune.Data;

namespace StableTune.Preparation;

/// <summary>How control images of edges are made of the images of a folder; sd-scripts' <c>canny</c>.</summary>
public sealed record CannyOptions : OptionsBase
{
    /// <summary>The folder of the images, not searched any deeper; required.</summary>
    public string? Source { get; init; }

    /// <summary>The folder to write into, another one; created when missing; required.</summary>
    public string? Destination { get; init; }

    /// <summary>Gradients of the grey image above this continue an edge. Default 32. (<c>thres1</c>)</summary>
    public double LowThreshold { get; init; } = 32;

    /// <summary>Gradients of the grey image above this begin an edge. Default 224. (<c>thres2</c>)</summary>
    public double HighThreshold { get; init; } = 224;

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
        foreach (var problem in FolderRules.OfImages("CannyOptions.Source", Source)) yield return problem;
        foreach (var problem in FolderRules.OfResults("CannyOptions.Destination", Destination, Source)) yield return problem;
        if (!(LowThreshold >= 0 && double.IsFinite(LowThreshold)))
            yield return Problem(LowThreshold, "a threshold is a number from 0 up", "32 is customary");
        if (!(HighThreshold >= LowThreshold && double.IsFinite(HighThreshold)))
            yield return Problem(HighThreshold,
                FormattableString.Invariant($"edges cannot begin below the threshold where they end ({LowThreshold})"), "224 is customary");
    }
}

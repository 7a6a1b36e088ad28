namespace StableTune.Preparation;

/// <summary>How control images of edges are made of the images of a folder; sd-scripts' <c>canny</c>.</summary>
public sealed record CannyOptions : ImageFolderOptions
{
    /// <summary>Gradients of the grey image above this continue an edge. Default 32. (<c>thres1</c>)</summary>
    public double LowThreshold { get; init; } = 32;

    /// <summary>Gradients of the grey image above this begin an edge. Default 224. (<c>thres2</c>)</summary>
    public double HighThreshold { get; init; } = 224;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (!(LowThreshold >= 0 && double.IsFinite(LowThreshold)))
            yield return Problem(LowThreshold, "a threshold is a number from 0 up", "32 is customary");
        if (!(HighThreshold >= LowThreshold && double.IsFinite(HighThreshold)))
            yield return Problem(HighThreshold,
                FormattableString.Invariant($"edges cannot begin below the threshold where they end ({LowThreshold})"), "224 is customary");
    }
}

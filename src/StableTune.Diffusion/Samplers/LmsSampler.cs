namespace StableTune.Samplers;

/// <summary>
/// The linear multistep method: integrates the polynomial through the slopes of the last steps. Deterministic, as many model calls as
/// steps.
/// </summary>
/// <remarks>The method of Adams and Bashforth on uneven steps, in the noise levels of Karras et al., arXiv:2206.00364.</remarks>
public sealed record LmsSampler : SigmaSampler
{
    /// <inheritdoc/>
    public override string Name => UseKarrasSigmas ? "LMS Karras" : "LMS";

    /// <summary>How many slopes a step uses, 1 to 4: its own, and those of the steps before. Default 4.</summary>
    public int Order { get; init; } = 4;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (Order is < 1 or > 4) yield return Problem(Order, "the order must be 1 to 4", "4 is customary");
    }

    /// <inheritdoc/>
    protected override Tensor Step(SigmaStep step)
    {
        ArgumentNullException.ThrowIfNull(step);
        var slopes = step.History;
        slopes.Add((step.Latents - step.Denoised()) / step.From, keep: Order);
        var next = step.Latents;
        for (var back = 0; back < slopes.Count; back++) next = next + slopes[back] * Weight(step, slopes.Count, back);
        return next;
    }

    /// <summary>The integral over the step of the polynomial that is 1 at the level of one slope and 0 at those of the others.</summary>
    private static double Weight(SigmaStep step, int count, int back)
    {
        double Level(int steps) => step.Sigmas[step.Index - steps];
        double Basis(double sigma) => Enumerable.Range(0, count).Where(other => other != back)
            .Aggregate(1.0, (product, other) => product * (sigma - Level(other)) / (Level(back) - Level(other)));
        // Gauss's rule with two points, which is exact for polynomials of degree 3.
        var (middle, half) = ((step.From + step.To) / 2, (step.To - step.From) / 2);
        var point = half / Math.Sqrt(3);
        return half * (Basis(middle - point) + Basis(middle + point));
    }
}

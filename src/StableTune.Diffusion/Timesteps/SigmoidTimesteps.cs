namespace StableTune;

/// <summary>Timesteps 1000 · sigmoid(k N) (sd-scripts, for other models: <c>timestep_sampling sigmoid</c>): the middle is likely, both ends
/// are rare, the more so the smaller k is.</summary>
public sealed record SigmoidTimesteps : TimestepDistribution
{
    /// <summary>The scale k, above 0 (<c>sigmoid_scale</c>). Default 1.</summary>
    public double Scale { get; init; } = 1;

    /// <inheritdoc/>
    protected override IEnumerable<OptionProblem> ParameterProblems()
    {
        if (!(Scale > 0 && double.IsFinite(Scale))) yield return Problem(Scale, "the scale must be positive", "1 is customary");
    }

    /// <inheritdoc/>
    protected override double Cumulative(double x) => LogitNormalTimesteps.SigmoidOfNormal(x, 0, Scale);
}

namespace StableTune;

/// <summary>Timesteps 1000 · sigmoid(m + s N): the middle is likely, both ends are rare.</summary>
/// <remarks>Esser et al., Scaling rectified flow transformers, arXiv:2403.03206, section 3.1.</remarks>
public sealed record LogitNormalTimesteps : TimestepDistribution
{
    /// <summary>The mean m (<c>logit_mean</c>): above 0 favours much noise. Default 0.</summary>
    public double Mean { get; init; }

    /// <summary>The spread s (<c>logit_std</c>), above 0. Default 1.</summary>
    public double Std { get; init; } = 1;

    /// <inheritdoc/>
    protected override IEnumerable<OptionProblem> ParameterProblems()
    {
        if (!double.IsFinite(Mean)) yield return Problem(Mean, "the mean must be a number", "0 favours the middle");
        if (!(Std > 0 && double.IsFinite(Std))) yield return Problem(Std, "the spread must be positive", "1 is customary");
    }

    /// <inheritdoc/>
    protected override double Cumulative(double x) => SigmoidOfNormal(x, Mean, Std);

    /// <summary>The probability that sigmoid(mean + std · N) is at most x.</summary>
    internal static double SigmoidOfNormal(double x, double mean, double std) =>
        x <= 0 ? 0 : x >= 1 ? 1 : NormalDistribution.Cumulative((Math.Log(x / (1 - x)) - mean) / std);
}

namespace StableTune;

/// <summary>Timesteps 1000 · (1 - u - s (cos²(π u / 2) - 1 + u)) for even u: with s above 0 the middle is likely, below 0 the
/// ends.</summary>
/// <remarks>Esser et al., Scaling rectified flow transformers, arXiv:2403.03206, section 3.1, mode sampling with heavy tails.</remarks>
public sealed record ModeTimesteps : TimestepDistribution
{
    private const int Halvings = 52;

    /// <summary>The scale s (<c>mode_scale</c>), -1 to 2 / (π - 2), which is 1.75. Default 1.29, as in the paper; 0 is even.</summary>
    public double Scale { get; init; } = 1.29;

    /// <inheritdoc/>
    protected override IEnumerable<OptionProblem> ParameterProblems()
    {
        if (!(Scale >= -1 && Scale <= 2 / (Math.PI - 2)))
            yield return Problem(Scale, "the scale lies from -1 to 1.75", "1.29 is customary, 0 is even");
    }

    /// <inheritdoc/>
    /// <remarks>x falls as u rises, so numbers up to x are those of u and above: u is sought by halving.</remarks>
    protected override double Cumulative(double x)
    {
        var (low, high) = (0.0, 1.0);
        for (var i = 0; i < Halvings; i++)
        {
            var u = (low + high) / 2;
            var cosine = Math.Cos(Math.PI * u / 2);
            if (1 - u - (Scale * ((cosine * cosine) - 1 + u)) > x) low = u;
            else high = u;
        }

        return 1 - ((low + high) / 2);
    }
}

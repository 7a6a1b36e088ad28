namespace StableTune;

/// <summary>Timesteps 1000 · x with x from the beta distribution: density x^(α - 1) (1 - x)^(β - 1) / B(α, β). α above β favours much
/// noise; both below 1 favour the ends, both above 1 the middle.</summary>
public sealed record BetaTimesteps : TimestepDistribution
{
    private const double Most = 100;

    /// <summary>α, above 0 to 100. Default 2.</summary>
    public double Alpha { get; init; } = 2;

    /// <summary>β, above 0 to 100. Default 2.</summary>
    public double Beta { get; init; } = 2;

    /// <inheritdoc/>
    protected override IEnumerable<OptionProblem> ParameterProblems()
    {
        if (!(Alpha is > 0 and <= Most)) yield return Problem(Alpha, "alpha lies above 0, to 100", "2 favours the middle, 1 is even");
        if (!(Beta is > 0 and <= Most)) yield return Problem(Beta, "beta lies above 0, to 100", "2 favours the middle, 1 is even");
    }

    /// <inheritdoc/>
    protected override double Cumulative(double x)
    {
        // The fraction converges fast below the mean; above it the rest is what the mirrored distribution has. Of the logarithms of both
        // only the difference to that at the mean counts, so that nothing overflows.
        var mean = (Alpha + 1) / (Alpha + Beta + 2);
        var whole = Below(mean, Alpha, Beta, mean) + Below(1 - mean, Beta, Alpha, 1 - mean);
        var part = x <= mean ? Below(x, Alpha, Beta, mean) : whole - Below(1 - x, Beta, Alpha, 1 - mean);
        return part / whole;
    }

    /// <summary>∫₀ˣ t^(a - 1) (1 - t)^(b - 1) dt, divided by m^a (1 - m)^b.</summary>
    private static double Below(double x, double a, double b, double m) => x <= 0 ? 0
        : Math.Exp((a * Math.Log(x / m)) + (b * Math.Log((1 - x) / (1 - m)))) / (a * Fraction(x, a, b));

    /// <summary>The continued fraction of the incomplete beta function, from its tail up.</summary>
    /// <remarks>NIST Digital Library of Mathematical Functions, 8.17.22: its reciprocal is 1 + d₁ / (1 + d₂ / (1 + ...)).</remarks>
    private static double Fraction(double x, double a, double b)
    {
        const int depth = 200;
        var value = 1.0;
        for (var n = depth; n > 0; n--)
        {
            var m = n / 2;
            var d = n % 2 == 0 ? m * (b - m) / ((a + (2 * m) - 1) * (a + (2 * m)))
                : -(a + m) * (a + b + m) / ((a + (2 * m)) * (a + (2 * m) + 1));
            value = 1 + (d * x / value);
        }

        return value;
    }
}

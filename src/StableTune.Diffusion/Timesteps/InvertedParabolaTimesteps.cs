namespace StableTune;

/// <summary>Timesteps with the density max(0, 2 - w (x - ½ - b)²): most likely in the middle, or where the bias shifts it, and never far
/// from there.</summary>
/// <remarks>The form that OneTrainer gives it (there: noising weight and noising bias).</remarks>
public sealed record InvertedParabolaTimesteps : TimestepDistribution
{
    /// <summary>The steepness w, 0 or more. Default 8, with which the density is 0 at both ends; 0 is even.</summary>
    public double Weight { get; init; } = 8;

    /// <summary>Where the top lies, counted from the middle, -0.5 to 0.5: above 0 favours much noise. Default 0.</summary>
    public double Bias { get; init; }

    /// <inheritdoc/>
    protected override IEnumerable<OptionProblem> ParameterProblems()
    {
        if (!(Weight >= 0 && double.IsFinite(Weight)))
            yield return Problem(Weight, "the weight must not be negative", "8 is 0 at both ends");
        if (!(Bias is >= -0.5 and <= 0.5)) yield return Problem(Bias, "the bias lies from -0.5 to 0.5", "0 has its top in the middle");
    }

    /// <inheritdoc/>
    protected override double Cumulative(double x) => From(x) - From(0);

    /// <summary>The integral of the density from its top to x.</summary>
    private double From(double x)
    {
        var reach = Weight > 0 ? Math.Sqrt(2 / Weight) : double.PositiveInfinity;
        var d = Math.Clamp(x - 0.5 - Bias, -reach, reach);
        return (2 * d) - (Weight * d * d * d / 3);
    }
}

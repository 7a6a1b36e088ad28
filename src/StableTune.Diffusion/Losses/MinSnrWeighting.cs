using StableTune.Diffusion;

namespace StableTune;

/// <summary>Min-SNR: limits the weight of nearly noiseless timesteps. min(s, γ) / s for ε, min(s, γ) / (s + 1) for v.</summary>
/// <remarks>Hang et al., Efficient diffusion training via min-SNR weighting strategy, arXiv:2303.09556.</remarks>
public sealed record MinSnrWeighting : OptionsBase, ILossWeighting
{
    /// <summary>The limit γ of the signal-to-noise ratio. Default 5, as in the paper.</summary>
    public double Gamma { get; init; } = 5;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (!(Gamma > 0 && double.IsFinite(Gamma))) yield return Problem(Gamma, "gamma must be positive", "5 is customary");
    }

    /// <inheritdoc/>
    /// <remarks>Where the ratio is 0 (zero terminal SNR) the ε weight is 1, its limit; the reference has 0/0 there.</remarks>
    public Tensor Weights(NoiseSchedule schedule, PredictionType prediction, Tensor timesteps)
    {
        using var scope = NewDisposeScope();
        var snr = schedule.Snr(timesteps);
        var scale = prediction.ErrorScale(snr);
        var weights = snr.clamp(max: Gamma) / scale;
        return where(scale.eq(0), ones_like(weights), weights).MoveToOuterDisposeScope();
    }
}

/// <summary>Min-SNR for any builder that has a place for loss weightings.</summary>
public static class MinSnrExtensions
{
    /// <summary>Weights the loss by min-SNR, so that easy, nearly noiseless timesteps do not dominate.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="gamma">The limit of the signal-to-noise ratio; 5 in the paper, 1 is stronger, 20 weaker.</param>
    public static TBuilder WithMinSnr<TBuilder>(this TBuilder builder, double gamma = 5)
        where TBuilder : ILossSocket<TBuilder> => builder.WithLossWeighting(new MinSnrWeighting { Gamma = gamma });
}

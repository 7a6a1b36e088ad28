using StableTune.Diffusion;

namespace StableTune;

/// <summary>Debiased estimation: 1 / √s for ε, 1 / (s + 1) for v, s limited to 1000.</summary>
/// <remarks>Yu et al., Debias the training of diffusion models, arXiv:2310.08442.</remarks>
public sealed record DebiasedWeighting : OptionsBase, ILossWeighting
{
    /// <inheritdoc/>
    public Tensor Weights(NoiseSchedule schedule, PredictionType prediction, Tensor timesteps)
    {
        using var scope = NewDisposeScope();
        return prediction.DebiasedWeight(SnrLimit.Limited(schedule.Snr(timesteps))).MoveToOuterDisposeScope();
    }
}

/// <summary>Debiased estimation for any builder that has a place for loss weightings.</summary>
public static class DebiasedExtensions
{
    /// <summary>Weights the loss so that the implied image, not the noise, is estimated without bias.</summary>
    public static TBuilder WithDebiasedEstimation<TBuilder>(this TBuilder builder) where TBuilder : ILossSocket<TBuilder> =>
        builder.WithLossWeighting(new DebiasedWeighting());
}

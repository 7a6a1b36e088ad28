using StableTune.Diffusion;

namespace StableTune;

/// <summary>Scales the loss of a v-model like that of a noise model: s / (s + 1), s limited to 1000.</summary>
public sealed record ScaledVelocityWeighting : OptionsBase, ILossWeighting
{
    /// <inheritdoc/>
    public Tensor Weights(NoiseSchedule schedule, PredictionType prediction, Tensor timesteps)
    {
        using var scope = NewDisposeScope();
        var snr = schedule.Snr(timesteps).clamp(max: SnrLimit.Most);
        return (snr / (snr + 1)).MoveToOuterDisposeScope();
    }
}

/// <summary>The noise-like scale of velocity losses for any builder that has a place for loss weightings.</summary>
public static class ScaledVelocityExtensions
{
    /// <summary>Scales the loss of a v-model like that of a noise model (<c>scale_v_pred_loss_like_noise_pred</c>).</summary>
    public static TBuilder WithVelocityLossScaledLikeNoise<TBuilder>(this TBuilder builder) where TBuilder : ILossSocket<TBuilder> =>
        builder.WithLossWeighting(new ScaledVelocityWeighting());
}

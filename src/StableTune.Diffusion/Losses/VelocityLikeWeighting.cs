using StableTune.Diffusion;

namespace StableTune;

/// <summary>Adds to the loss of a noise model a share w of what a v-model's would be: 1 + w (s + 1) / s, s limited to 1000.</summary>
public sealed record VelocityLikeWeighting : OptionsBase, ILossWeighting
{
    /// <summary>The share w of the velocity-like loss. Default 1.</summary>
    public double Weight { get; init; } = 1;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (!(Weight >= 0 && double.IsFinite(Weight))) yield return Problem(Weight, "the share must not be negative", "0 adds nothing, 1 as much as the loss of a v-model");
    }

    /// <inheritdoc/>
    public Tensor Weights(NoiseSchedule schedule, PredictionType prediction, Tensor timesteps)
    {
        using var scope = NewDisposeScope();
        var snr = SnrLimit.Limited(schedule.Snr(timesteps));
        return (1 + Weight / (snr / (snr + 1))).MoveToOuterDisposeScope();
    }
}

/// <summary>The velocity-like loss for any builder that has a place for loss weightings.</summary>
public static class VelocityLikeExtensions
{
    /// <summary>Adds a share of a velocity-like loss to that of a noise model (<c>v_pred_like_loss</c>).</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="weight">The share, not negative.</param>
    public static TBuilder WithVelocityLikeLoss<TBuilder>(this TBuilder builder, double weight)
        where TBuilder : ILossSocket<TBuilder> => builder.WithLossWeighting(new VelocityLikeWeighting { Weight = weight });
}

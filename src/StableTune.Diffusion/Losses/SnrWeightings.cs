using StableTune.Diffusion;
using StableTune.Losses;

namespace StableTune.Losses
{
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

    /// <summary>Scales the loss of a v-model like that of a noise model: s / (s + 1), s limited to 1000.</summary>
    public sealed record ScaledVelocityWeighting : OptionsBase, ILossWeighting
    {
        /// <inheritdoc/>
        public string? Misfit(PredictionType prediction) => prediction == PredictionType.V ? null
            : $"it is for models that predict velocity, and this one predicts {prediction}";

        /// <inheritdoc/>
        public Tensor Weights(NoiseSchedule schedule, PredictionType prediction, Tensor timesteps)
        {
            using var scope = NewDisposeScope();
            var snr = schedule.Snr(timesteps).clamp(max: SnrLimit.Most);
            return (snr / (snr + 1)).MoveToOuterDisposeScope();
        }
    }

    /// <summary>Adds to the loss of a noise model a share w of what a v-model's would be: 1 + w (s + 1) / s, s limited to 1000.</summary>
    public sealed record VelocityLikeWeighting : OptionsBase, ILossWeighting
    {
        /// <inheritdoc/>
        public string? Misfit(PredictionType prediction) =>
            prediction == PredictionType.V ? "the model predicts velocity already" : null;

        /// <summary>The share w of the velocity-like loss. Default 1.</summary>
        public double Weight { get; init; } = 1;

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Validate()
        {
            if (!(Weight >= 0 && double.IsFinite(Weight)))
                yield return Problem(Weight, "the share must not be negative", "0 adds nothing, 1 as much as the loss of a v-model");
        }

        /// <inheritdoc/>
        public Tensor Weights(NoiseSchedule schedule, PredictionType prediction, Tensor timesteps)
        {
            using var scope = NewDisposeScope();
            var snr = SnrLimit.Limited(schedule.Snr(timesteps));
            return (1 + Weight / (snr / (snr + 1))).MoveToOuterDisposeScope();
        }
    }

    /// <summary>P2 weighting: 1 / (k + s)^γ, which favours timesteps of much noise.</summary>
    /// <remarks>Choi et al., Perception prioritized training of diffusion models, arXiv:2204.00227, equation 8.</remarks>
    public sealed record P2Weighting : OptionsBase, ILossWeighting
    {
        /// <summary>k, above 0. Default 1, as in the paper.</summary>
        public double K { get; init; } = 1;

        /// <summary>The strength γ, above 0. Default 1, as in the paper; 0.5 is weaker.</summary>
        public double Gamma { get; init; } = 1;

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Validate()
        {
            if (!(K > 0 && double.IsFinite(K))) yield return Problem(K, "k must be positive", "1 is customary");
            if (!(Gamma > 0 && double.IsFinite(Gamma))) yield return Problem(Gamma, "gamma must be positive", "0.5 or 1 is customary");
        }

        /// <inheritdoc/>
        public Tensor Weights(NoiseSchedule schedule, PredictionType prediction, Tensor timesteps)
        {
            using var scope = NewDisposeScope();
            return (schedule.Snr(timesteps) + K).pow(-Gamma).MoveToOuterDisposeScope();
        }
    }

    /// <summary>The range to which some weightings limit the signal-to-noise ratio before they divide by it.</summary>
    internal static class SnrLimit
    {
        /// <summary>The greatest ratio: sd-scripts limits the first timesteps so.</summary>
        internal const double Most = 1000;

        /// <summary>
        /// The least ratio. Only the last timestep of a schedule with zero terminal SNR falls below it, where the ratio is 0:
        /// the reference divides by it there, and the infinite weight would end the run.
        /// </summary>
        internal const double Least = 1e-8;

        /// <summary>The ratios within the limits, [B].</summary>
        internal static Tensor Limited(Tensor snr) => snr.clamp(Least, Most);
    }
}

// One using of StableTune is enough to build a run: what extends builders stays there.
namespace StableTune
{
    /// <summary>The weightings by signal-to-noise ratio for any builder that has a place for loss weightings.</summary>
    public static class SnrWeightingExtensions
    {
        /// <summary>Weights the loss by min-SNR, so that easy, nearly noiseless timesteps do not dominate.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="gamma">The limit of the signal-to-noise ratio; 5 in the paper, 1 is stronger, 20 weaker.</param>
        public static TBuilder WithMinSnr<TBuilder>(this TBuilder builder, double gamma = 5)
            where TBuilder : ILossSocket<TBuilder> => builder.WithLossWeighting(new MinSnrWeighting { Gamma = gamma });

        /// <summary>Weights the loss so that the implied image, not the noise, is estimated without bias.</summary>
        public static TBuilder WithDebiasedEstimation<TBuilder>(this TBuilder builder)
            where TBuilder : ILossSocket<TBuilder> => builder.WithLossWeighting(new DebiasedWeighting());

        /// <summary>Scales the loss of a v-model like that of a noise model (<c>scale_v_pred_loss_like_noise_pred</c>).</summary>
        public static TBuilder WithVelocityLossScaledLikeNoise<TBuilder>(this TBuilder builder)
            where TBuilder : ILossSocket<TBuilder> => builder.WithLossWeighting(new ScaledVelocityWeighting());

        /// <summary>Adds a share of a velocity-like loss to that of a noise model (<c>v_pred_like_loss</c>).</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="weight">The share, not negative.</param>
        public static TBuilder WithVelocityLikeLoss<TBuilder>(this TBuilder builder, double weight)
            where TBuilder : ILossSocket<TBuilder> => builder.WithLossWeighting(new VelocityLikeWeighting { Weight = weight });

        /// <summary>Weights the loss by P2, which favours timesteps of much noise.</summary>
        /// <param name="builder">The builder.</param>
        /// <param name="gamma">The strength; 1 in the paper, 0.5 is weaker.</param>
        /// <param name="k">What is added to the signal-to-noise ratio.</param>
        public static TBuilder WithP2Weighting<TBuilder>(this TBuilder builder, double gamma = 1, double k = 1)
            where TBuilder : ILossSocket<TBuilder> => builder.WithLossWeighting(new P2Weighting { Gamma = gamma, K = k });
    }
}

using StableTune.Models;

namespace StableTune.Diffusion;

/// <summary>
/// What a model predicts: the noise, the velocity or the image. Knows the training target, the way back from a prediction to
/// image and noise, and how the squared error depends on the signal-to-noise ratio.
/// </summary>
public abstract class PredictionType
{
    /// <summary>For another kind of prediction.</summary>
    /// <param name="name">The name that configurations use.</param>
    protected PredictionType(string name) => Name = name;

    /// <summary>The model predicts the noise ε (SD 1.x, SD 2.x base, SDXL).</summary>
    public static PredictionType Epsilon { get; } = new EpsilonPrediction();

    /// <summary>The model predicts the velocity v (SD 2.x 768).</summary>
    public static PredictionType V { get; } = new VelocityPrediction();

    /// <summary>The model predicts the image, that is the latents without noise.</summary>
    public static PredictionType Sample { get; } = new SamplePrediction();

    /// <summary>The kinds that <see cref="Parse"/> knows.</summary>
    public static IReadOnlyList<PredictionType> Known { get; } = [Epsilon, V, Sample];

    /// <summary>The name that scheduler configurations use: <c>epsilon</c>, <c>v_prediction</c>, <c>sample</c>.</summary>
    public string Name { get; }

    /// <summary>The kind that a model's configuration says.</summary>
    /// <param name="prediction">What the model predicts; not <see cref="ModelPrediction.Auto"/>.</param>
    public static PredictionType Of(ModelPrediction prediction) => Parse(prediction.Name());

    /// <summary>The kind with this name; <c>v</c> is accepted for <c>v_prediction</c>.</summary>
    /// <exception cref="ArgumentException">No kind has this name; the message lists the known ones.</exception>
    public static PredictionType Parse(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var wanted = name == "v" ? V.Name : name;
        return Known.FirstOrDefault(kind => kind.Name == wanted)
            ?? throw new ArgumentException(
                $"\"{name}\" is no prediction type; known are {string.Join(", ", Known.Select(kind => kind.Name))}.", nameof(name));
    }

    /// <summary>What the model should answer in training.</summary>
    /// <param name="schedule">The forward process.</param>
    /// <param name="latents">Scaled latents, [B, C, h, w].</param>
    /// <param name="noise">As the latents.</param>
    /// <param name="timesteps">One per sample, [B], int64.</param>
    /// <returns>A fresh tensor, as the latents.</returns>
    public abstract Tensor Target(NoiseSchedule schedule, Tensor latents, Tensor noise, Tensor timesteps);

    /// <summary>The image x̂₀ that a prediction implies, for variance-preserving latents (DDIM, DPM-Solver).</summary>
    /// <param name="noisyLatents">√ᾱ x₀ + √(1 - ᾱ) ε, [B, C, h, w].</param>
    /// <param name="predicted">The model's answer, as the latents.</param>
    /// <param name="alphaCumprod">ᾱ at this time, in (0, 1].</param>
    public abstract Tensor Original(Tensor noisyLatents, Tensor predicted, double alphaCumprod);

    /// <summary>The noise ε̂ that a prediction implies, for variance-preserving latents.</summary>
    /// <param name="noisyLatents">√ᾱ x₀ + √(1 - ᾱ) ε, [B, C, h, w].</param>
    /// <param name="predicted">The model's answer, as the latents.</param>
    /// <param name="alphaCumprod">ᾱ at this time, in (0, 1).</param>
    public abstract Tensor Noise(Tensor noisyLatents, Tensor predicted, double alphaCumprod);

    /// <summary>The image x̂₀ that a prediction implies, for latents x₀ + σ ε (Euler, Heun, LMS).</summary>
    /// <param name="latents">x₀ + σ ε, [B, C, h, w]: not divided by √(σ² + 1).</param>
    /// <param name="predicted">The model's answer for latents / √(σ² + 1), as the latents.</param>
    /// <param name="sigma">The noise level, not negative.</param>
    public abstract Tensor OriginalAtSigma(Tensor latents, Tensor predicted, double sigma);

    /// <summary>How many times larger this prediction's squared error is than that of the image x̂₀ it implies.</summary>
    /// <param name="snr">Signal-to-noise ratios, [B].</param>
    /// <returns>ε: snr; v: snr + 1; image: 1. [B].</returns>
    public abstract Tensor ErrorScale(Tensor snr);

    /// <summary>The weight of debiased estimation for this prediction.</summary>
    /// <remarks>Yu et al., Debias the training of diffusion models, arXiv:2310.08442; for v as sd-scripts does it.</remarks>
    /// <param name="snr">Signal-to-noise ratios, already limited, [B].</param>
    /// <returns>ε: 1/√snr; v: 1/(snr + 1); image: √snr. [B].</returns>
    public abstract Tensor DebiasedWeight(Tensor snr);

    /// <inheritdoc/>
    public sealed override string ToString() => Name;

    private sealed class EpsilonPrediction() : PredictionType("epsilon")
    {
        public override Tensor Target(NoiseSchedule schedule, Tensor latents, Tensor noise, Tensor timesteps) => noise.alias();

        public override Tensor Original(Tensor noisyLatents, Tensor predicted, double alphaCumprod)
        {
            using var scope = NewDisposeScope();
            return ((noisyLatents - predicted * Math.Sqrt(1 - alphaCumprod)) / Math.Sqrt(alphaCumprod)).MoveToOuterDisposeScope();
        }

        public override Tensor Noise(Tensor noisyLatents, Tensor predicted, double alphaCumprod) => predicted.alias();

        public override Tensor OriginalAtSigma(Tensor latents, Tensor predicted, double sigma)
        {
            using var scope = NewDisposeScope();
            return (latents - predicted * sigma).MoveToOuterDisposeScope();
        }

        public override Tensor ErrorScale(Tensor snr) => snr.alias();

        public override Tensor DebiasedWeight(Tensor snr) => snr.rsqrt();
    }

    private sealed class VelocityPrediction() : PredictionType("v_prediction")
    {
        public override Tensor Target(NoiseSchedule schedule, Tensor latents, Tensor noise, Tensor timesteps) =>
            schedule.Velocity(latents, noise, timesteps);

        public override Tensor Original(Tensor noisyLatents, Tensor predicted, double alphaCumprod)
        {
            using var scope = NewDisposeScope();
            return (noisyLatents * Math.Sqrt(alphaCumprod) - predicted * Math.Sqrt(1 - alphaCumprod)).MoveToOuterDisposeScope();
        }

        public override Tensor Noise(Tensor noisyLatents, Tensor predicted, double alphaCumprod)
        {
            using var scope = NewDisposeScope();
            return (predicted * Math.Sqrt(alphaCumprod) + noisyLatents * Math.Sqrt(1 - alphaCumprod)).MoveToOuterDisposeScope();
        }

        public override Tensor OriginalAtSigma(Tensor latents, Tensor predicted, double sigma)
        {
            using var scope = NewDisposeScope();
            var variance = sigma * sigma + 1;
            return (latents / variance - predicted * (sigma / Math.Sqrt(variance))).MoveToOuterDisposeScope();
        }

        public override Tensor ErrorScale(Tensor snr) => snr + 1;

        public override Tensor DebiasedWeight(Tensor snr)
        {
            using var scope = NewDisposeScope();
            return (1 / (snr + 1)).MoveToOuterDisposeScope();
        }
    }

    private sealed class SamplePrediction() : PredictionType("sample")
    {
        public override Tensor Target(NoiseSchedule schedule, Tensor latents, Tensor noise, Tensor timesteps) => latents.alias();

        public override Tensor Original(Tensor noisyLatents, Tensor predicted, double alphaCumprod) => predicted.alias();

        public override Tensor Noise(Tensor noisyLatents, Tensor predicted, double alphaCumprod)
        {
            using var scope = NewDisposeScope();
            return ((noisyLatents - predicted * Math.Sqrt(alphaCumprod)) / Math.Sqrt(1 - alphaCumprod)).MoveToOuterDisposeScope();
        }

        public override Tensor OriginalAtSigma(Tensor latents, Tensor predicted, double sigma) => predicted.alias();

        public override Tensor ErrorScale(Tensor snr) => ones_like(snr);

        public override Tensor DebiasedWeight(Tensor snr) => snr.sqrt();
    }
}

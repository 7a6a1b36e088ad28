using StableTune.Diffusion;

namespace StableTune;

/// <summary>DDIM: deterministic for <see cref="Eta"/> 0, as many model calls as steps.</summary>
/// <remarks>
/// Song et al., Denoising diffusion implicit models, arXiv:2010.02502, equation 12.
/// The samples that sd-scripts draws while it trains clip the predicted image to ±1 (<see cref="ClipOriginal"/>), which flattens
/// the contrast of latents; here that is off unless asked for. The scheduler files of published models have
/// <see cref="StepsOffset"/> 1 and <see cref="EndsAtImage"/> false.
/// </remarks>
public sealed record DdimSampler : OptionsBase, ISampler
{
    /// <inheritdoc/>
    public string Name => "DDIM";

    /// <summary>Whether the predicted image is clipped to ±1 at every step (<c>clip_sample</c>). Default no.</summary>
    public bool ClipOriginal { get; init; }

    /// <summary>Added to every timestep (<c>steps_offset</c>). Default 0.</summary>
    public int StepsOffset { get; init; }

    /// <summary>Whether the last step goes to ᾱ = 1, the image itself, or to ᾱ₀ (<c>set_alpha_to_one</c>). Default true.</summary>
    public bool EndsAtImage { get; init; } = true;

    /// <summary>How much noise is added on the way: 0 none, 1 as much as DDPM. Default 0.</summary>
    public double Eta { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (StepsOffset < 0) yield return Problem(StepsOffset, "the offset must not be negative", "0 and 1 are customary");
        if (!(Eta >= 0 && Eta <= 1)) yield return Problem(Eta, "eta must lie between 0 and 1", "0 is deterministic");
    }

    /// <inheritdoc/>
    public SamplingTimes Times(NoiseSchedule schedule, int steps)
    {
        ArgumentNullException.ThrowIfNull(schedule);
        return new SamplingTimes { Timesteps = TimestepSpacing.Leading.Timesteps(steps, schedule.Count, StepsOffset) };
    }

    /// <inheritdoc/>
    public Tensor Sample(Denoiser denoiser, Tensor latents, SamplingTimes times, SamplingContext context)
    {
        ArgumentNullException.ThrowIfNull(denoiser);
        ArgumentNullException.ThrowIfNull(times);
        ArgumentNullException.ThrowIfNull(context);
        return context.Walk(latents, times.Timesteps.Count, (x, index) => Step(denoiser, x, times, context, index));
    }

    private Tensor Step(Denoiser denoiser, Tensor x, SamplingTimes times, SamplingContext context, int index)
    {
        var alphas = context.Schedule.AlphasCumprod;
        double alpha = alphas[(int)times.Timesteps[index]];
        // The next time is the one in the list; past its end lies the image.
        double next = index + 1 < times.Timesteps.Count ? alphas[(int)times.Timesteps[index + 1]] : EndsAtImage ? 1 : alphas[0];

        var predicted = denoiser(x, times.Timesteps[index]);                   // [B, C, h, w]
        var original = context.Prediction.Original(x, predicted, alpha);
        if (ClipOriginal) original = original.clamp(-1, 1);
        var noise = context.Prediction.Noise(x, predicted, alpha);             // of the prediction itself: clipping does not change it

        var variance = (1 - next) / (1 - alpha) * (1 - alpha / next);
        var sigma = Eta * Math.Sqrt(variance);
        var moved = original * Math.Sqrt(next) + noise * Math.Sqrt(Math.Max(0, 1 - next - sigma * sigma));
        return sigma > 0 ? moved + context.DrawNoise(x) * sigma : moved;
    }
}

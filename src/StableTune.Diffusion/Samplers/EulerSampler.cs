using StableTune.Diffusion;

namespace StableTune;

/// <summary>Euler's method on the probability-flow equation, without churn: deterministic, as many model calls as steps.</summary>
/// <remarks>Karras et al., Elucidating the design space of diffusion-based generative models, arXiv:2206.00364, algorithm 2 with S_churn = 0.</remarks>
public sealed record EulerSampler : OptionsBase, ISampler
{
    /// <inheritdoc/>
    public string Name => UseKarrasSigmas ? "Euler Karras" : "Euler";

    /// <summary>How steps are spread over the training timesteps. Default <see cref="TimestepSpacing.Linspace"/>.</summary>
    public TimestepSpacing Spacing { get; init; } = TimestepSpacing.Linspace;

    /// <summary>Added to every timestep of the spacing <see cref="TimestepSpacing.Leading"/> (<c>steps_offset</c>). Default 0.</summary>
    public int StepsOffset { get; init; }

    /// <summary>Whether noise levels are spaced as Karras et al. recommend. Default no.</summary>
    public bool UseKarrasSigmas { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (StepsOffset < 0) yield return Problem(StepsOffset, "the offset must not be negative", "0 and 1 are customary");
    }

    /// <inheritdoc/>
    public SamplingTimes Times(NoiseSchedule schedule, int steps)
    {
        ArgumentNullException.ThrowIfNull(schedule);
        var table = new SigmaTable(schedule);
        // Times are float32 numbers in the reference, and levels are interpolated at those.
        var times = Spacing.Timesteps(steps, schedule.Count, StepsOffset).Select(time => (double)(float)time).ToArray();
        var sigmas = times.Select(table.At).ToArray();
        if (UseKarrasSigmas)
        {
            sigmas = SigmaTable.Karras(sigmas[0], sigmas[^1], steps);
            times = [.. sigmas.Select(sigma => (double)(float)table.TimeOf(sigma))];
        }
        var greatest = sigmas[0];
        return new SamplingTimes
        {
            Timesteps = times,
            Sigmas = [.. sigmas.Select(sigma => (float)sigma), 0f],
            InitialSigma = (float)(Spacing.StartsAtGreatestSigma ? greatest : Math.Sqrt(greatest * greatest + 1)),
        };
    }

    /// <inheritdoc/>
    public Tensor Sample(Denoiser denoiser, Tensor latents, SamplingTimes times, SamplingContext context)
    {
        ArgumentNullException.ThrowIfNull(denoiser);
        ArgumentNullException.ThrowIfNull(times);
        ArgumentNullException.ThrowIfNull(context);
        return context.Walk(latents, times.Timesteps.Count, (x, index) =>
        {
            double sigma = times.Sigmas[index], next = times.Sigmas[index + 1];
            var predicted = denoiser(x / Math.Sqrt(sigma * sigma + 1), times.Timesteps[index]);   // [B, C, h, w]
            var original = context.Prediction.OriginalAtSigma(x, predicted, sigma);
            var derivative = (x - original) / sigma;
            return x + derivative * (next - sigma);
        });
    }
}

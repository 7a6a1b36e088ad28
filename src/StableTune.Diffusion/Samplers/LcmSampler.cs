using StableTune.Diffusion;

namespace StableTune.Samplers;

/// <summary>
/// Sampling of latent consistency models, for models and adapters that were distilled for it: each step predicts the image and adds noise
/// anew. 2 to 8 steps are customary, with a guidance of 1 to 2.
/// </summary>
/// <remarks>Luo et al., Latent consistency models, arXiv:2310.04378, algorithm 3.</remarks>
public sealed record LcmSampler : AlphaSampler
{
    private const double DataDeviation = 0.5, TimeScale = 10;

    /// <inheritdoc/>
    public override string Name => "LCM";

    /// <summary>Steps of the sampler that the model was distilled from (<c>original_inference_steps</c>): times are some of its. Default
    /// 50.</summary>
    public int OriginalSteps { get; init; } = 50;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (Spacing != TimestepSpacing.Leading || StepsOffset != 0 || !EndsAtImage)
            yield return Problem(Spacing, "its times are some of the original sampler's, and it ends at the image",
                "leave Spacing, StepsOffset and EndsAtImage unset");
        if (OriginalSteps < 1) yield return Problem(OriginalSteps, "the original sampler had at least one step", "50 is customary");
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentOutOfRangeException">There are no steps, more than <see cref="OriginalSteps"/>, or these are more than the
    /// schedule's.</exception>
    public override SamplingTimes Times(NoiseSchedule schedule, int steps)
    {
        ArgumentNullException.ThrowIfNull(schedule);
        ArgumentOutOfRangeException.ThrowIfLessThan(steps, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(OriginalSteps, schedule.Count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(steps, OriginalSteps);
        var width = schedule.Count / OriginalSteps;
        return new SamplingTimes
        {
            // Descending: the i-th of them is the one ⌊i · original / steps⌋ places from the end.
            Timesteps = [.. Enumerable.Range(0, steps).Select(i => (OriginalSteps - (long)i * OriginalSteps / steps) * width - 1.0)],
        };
    }

    /// <inheritdoc/>
    protected override Tensor Step(AlphaStep step)
    {
        ArgumentNullException.ThrowIfNull(step);
        // The model is the identity at time 0.
        double time = step.Time * TimeScale, variance = DataDeviation * DataDeviation;
        var original = step.OriginalOf(step.Predicted());
        var image = original * (time / Math.Sqrt(time * time + variance)) + step.Latents * (variance / (time * time + variance));
        return step.NextTime is null ? image : image * Math.Sqrt(step.NextAlpha) + step.Noise() * Math.Sqrt(1 - step.NextAlpha);
    }
}

using StableTune.Diffusion;

namespace StableTune.Samplers;

/// <summary>
/// The base of samplers that work with ᾱ: latents are √ᾱ x₀ + √(1 - ᾱ) ε, as in training, and times are whole. Places times, walks, and
/// owns what steps keep; what is left to a sampler is <see cref="Step"/>.
/// </summary>
public abstract record AlphaSampler : OptionsBase, ISampler
{
    /// <inheritdoc/>
    public abstract string Name { get; }

    /// <summary>
    /// How steps are spread over the training timesteps; fractions are rounded. Default <see cref="TimestepSpacing.Leading"/>.
    /// </summary>
    public TimestepSpacing Spacing { get; init; } = TimestepSpacing.Leading;

    /// <summary>Added to every timestep of the spacing <see cref="TimestepSpacing.Leading"/> (<c>steps_offset</c>). Default 0.</summary>
    public int StepsOffset { get; init; }

    /// <summary>Whether the last step goes to ᾱ = 1, the image itself, or to ᾱ₀ (<c>set_alpha_to_one</c>). Default true.</summary>
    public bool EndsAtImage { get; init; } = true;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Spacing is null) yield return Problem(Spacing, "a spacing is required", "give TimestepSpacing.Leading");
        if (StepsOffset < 0) yield return Problem(StepsOffset, "the offset must not be negative", "0 and 1 are customary");
    }

    /// <inheritdoc/>
    public virtual SamplingTimes Times(NoiseSchedule schedule, int steps)
    {
        ArgumentNullException.ThrowIfNull(schedule);
        var times = Spacing.Timesteps(steps, schedule.Count, StepsOffset);
        return new SamplingTimes { Timesteps = [.. times.Select(time => Math.Round(time))] };
    }

    /// <inheritdoc/>
    public Tensor Sample(Denoiser denoiser, Tensor latents, SamplingTimes times, SamplingContext context)
    {
        using var walk = new SamplerWalk(denoiser, times, context);
        return context.Walk(latents, times.Timesteps.Count, (x, index) => Step(new AlphaStep(walk, EndsAtImage, x, index)));
    }

    /// <summary>One step: from latents at <see cref="AlphaStep.Alpha"/> to latents at <see cref="AlphaStep.NextAlpha"/>.</summary>
    /// <remarks>Called without gradients and in a dispose scope of its own: intermediate tensors need no care.</remarks>
    /// <param name="step">Where the walk stands; asks the model, any number of times.</param>
    /// <returns>The next latents, as <see cref="SamplerStep.Latents"/>.</returns>
    protected abstract Tensor Step(AlphaStep step);
}

/// <summary>One step of an <see cref="AlphaSampler"/>.</summary>
public sealed class AlphaStep : SamplerStep
{
    internal AlphaStep(SamplerWalk walk, bool endsAtImage, Tensor latents, int index) : base(walk, latents, index)
    {
        Alpha = AlphaAt(Time);
        // The next time is the one in the list; past its end lies the image.
        NextAlpha = NextTime is { } next ? AlphaAt(next) : endsAtImage ? 1 : AlphaAt(0);
    }

    /// <summary>ᾱ at the beginning of the step.</summary>
    public double Alpha { get; }

    /// <summary>ᾱ at its end.</summary>
    public double NextAlpha { get; }

    /// <inheritdoc/>
    public override double From => SigmaTable.SigmaOf((float)Alpha);

    /// <inheritdoc/>
    public override double To => SigmaTable.SigmaOf((float)NextAlpha);

    /// <summary>ᾱ at a time.</summary>
    /// <param name="time">A whole time, 0 to T - 1.</param>
    public double AlphaAt(double time) => Context.Schedule.AlphasCumprod[(int)time];

    /// <summary>What the model predicts for the latents of this step: noise, velocity or image.</summary>
    public Tensor Predicted() => Predicted(Latents, Time);

    /// <summary>What the model predicts for other latents.</summary>
    /// <param name="latents">√ᾱ x₀ + √(1 - ᾱ) ε, [B, C, h, w].</param>
    /// <param name="time">Their time, 0 to T - 1.</param>
    /// <returns>A fresh tensor, as <paramref name="latents"/>.</returns>
    public Tensor Predicted(Tensor latents, double time) => Model(latents, time);

    /// <summary>The image x̂₀ that a prediction for the latents of this step implies.</summary>
    /// <param name="predicted">The prediction, [B, C, h, w].</param>
    public Tensor OriginalOf(Tensor predicted) => Context.Prediction.Original(Latents, predicted, Alpha);

    /// <summary>The noise ε̂ that a prediction for the latents of this step implies.</summary>
    /// <param name="predicted">The prediction, [B, C, h, w].</param>
    public Tensor NoiseOf(Tensor predicted) => Context.Prediction.Noise(Latents, predicted, Alpha);
}

using StableTune.Diffusion;

namespace StableTune.Samplers;

/// <summary>
/// The base of samplers that work with noise levels σ: latents are x₀ + σ ε, and each step asks for denoised images x̂₀. Places times and
/// levels, walks, and owns what steps keep; what is left to a sampler is <see cref="Step"/>.
/// </summary>
/// <remarks>
/// The notation is that of Karras et al., Elucidating the design space of diffusion-based generative models, arXiv:2206.00364.
/// </remarks>
public abstract record SigmaSampler : OptionsBase, ISampler
{
    /// <inheritdoc/>
    public abstract string Name { get; }

    /// <summary>How steps are spread over the training timesteps. Default <see cref="TimestepSpacing.Linspace"/>.</summary>
    public TimestepSpacing Spacing { get; init; } = TimestepSpacing.Linspace;

    /// <summary>Added to every timestep of the spacing <see cref="TimestepSpacing.Leading"/> (<c>steps_offset</c>). Default 0.</summary>
    public int StepsOffset { get; init; }

    /// <summary>Whether noise levels are spaced as Karras et al. recommend. Default no.</summary>
    public bool UseKarrasSigmas { get; init; }

    /// <summary>
    /// Whether times are placed as DPM-Solver and UniPC do: whole ones, as in training, with the end of the process left out, Karras levels
    /// over the whole schedule, and a start at the schedule's own variance. Otherwise as Euler, Heun and LMS do: fractions are kept, and
    /// levels are interpolated there. Default no.
    /// </summary>
    protected virtual bool UsesWholeTimes => false;

    /// <summary>Whether the times of Karras levels are rounded, as DPM-Solver and DPM2 do. Default as <see
    /// cref="UsesWholeTimes"/>.</summary>
    protected virtual bool RoundsKarrasTimes => UsesWholeTimes;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Spacing is null) yield return Problem(Spacing, "a spacing is required", "give TimestepSpacing.Linspace");
        if (StepsOffset < 0) yield return Problem(StepsOffset, "the offset must not be negative", "0 and 1 are customary");
    }

    /// <inheritdoc/>
    public virtual SamplingTimes Times(NoiseSchedule schedule, int steps)
    {
        ArgumentNullException.ThrowIfNull(schedule);
        var table = new SigmaTable(schedule);
        // Times are float32 numbers in the reference, and levels are interpolated at those.
        var times = UsesWholeTimes ? Spacing.WholeTimesteps(steps, schedule.Count, StepsOffset)
            : [.. Spacing.Timesteps(steps, schedule.Count, StepsOffset).Select(time => (double)(float)time)];
        var sigmas = times.Select(table.At).ToArray();
        if (UseKarrasSigmas)
        {
            var (greatest, least) = UsesWholeTimes ? (table.Greatest, table.Least) : (sigmas[0], sigmas[^1]);
            sigmas = SigmaTable.Karras(greatest, least, steps);
            times = [.. sigmas.Select(table.TimeOf).Select(time => RoundsKarrasTimes ? Math.Round(time) : (double)(float)time)];
        }
        var atGreatest = !UsesWholeTimes && Spacing.StartsAtGreatestSigma;
        return new SamplingTimes
        {
            Timesteps = times,
            Sigmas = [.. sigmas.Select(sigma => (float)sigma), (float)LastSigma(table)],
            InitialSigma = (float)(atGreatest ? sigmas[0] : Math.Sqrt(sigmas[0] * sigmas[0] + 1)),
        };
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">
    /// There is not one noise level more than timesteps: another kind of sampler made the times.
    /// </exception>
    public Tensor Sample(Denoiser denoiser, Tensor latents, SamplingTimes times, SamplingContext context)
    {
        using var walk = new SamplerWalk(denoiser, times, context);
        if (times.Sigmas.Count != times.Timesteps.Count + 1)
            throw new ArgumentException($"{Name} needs one noise level more than timesteps, but there are {times.Sigmas.Count} levels for "
                + $"{times.Timesteps.Count} timesteps. Give what {nameof(Times)} of this sampler returned, or the later part of it.",
                nameof(times));
        var table = new SigmaTable(context.Schedule);
        return context.Walk(latents, times.Timesteps.Count, (x, index) => Step(new SigmaStep(walk, table, x, index)));
    }

    /// <summary>One step: from latents at the noise level <see cref="SigmaStep.From"/> to latents at <see cref="SigmaStep.To"/>.</summary>
    /// <remarks>Called without gradients and in a dispose scope of its own: intermediate tensors need no care.</remarks>
    /// <param name="step">Where the walk stands; asks the model, any number of times.</param>
    /// <returns>The next latents, as <see cref="SamplerStep.Latents"/>.</returns>
    protected abstract Tensor Step(SigmaStep step);

    /// <summary>The noise level at which the last step ends. Default 0: any other leaves noise in the picture.</summary>
    /// <param name="table">The levels of the schedule.</param>
    protected virtual double LastSigma(SigmaTable table) => 0;
}

/// <summary>One step of a <see cref="SigmaSampler"/>.</summary>
public sealed class SigmaStep : SamplerStep
{
    internal SigmaStep(SamplerWalk walk, SigmaTable table, Tensor latents, int index) : base(walk, latents, index) => Table = table;

    /// <inheritdoc/>
    public override double From => Sigmas[Index];

    /// <inheritdoc/>
    public override double To => Sigmas[Index + 1];

    /// <summary>All noise levels of the walk, [Count + 1]; those of earlier steps stand before <see cref="SamplerStep.Index"/>.</summary>
    public IReadOnlyList<float> Sigmas => Times.Sigmas;

    /// <summary>The noise levels of the schedule, for times and levels between those of the walk.</summary>
    public SigmaTable Table { get; }

    /// <summary>The image x̂₀ that the model sees in the latents of this step.</summary>
    public Tensor Denoised() => Denoised(Latents, From);

    /// <summary>The image x̂₀ that the model sees in other latents.</summary>
    /// <param name="latents">x₀ + σ ε, [B, C, h, w].</param>
    /// <param name="sigma">
    /// Their noise level, not negative. At the ends of the step the model is told the times of the walk, elsewhere the time of the table.
    /// </param>
    public Tensor Denoised(Tensor latents, double sigma) => Denoised(latents, sigma,
        sigma.Equals(From) ? Time : sigma.Equals(To) && NextTime is { } next ? next : (float)Table.TimeOf(sigma));

    /// <summary>The image x̂₀ that the model sees in other latents when it is told a certain time.</summary>
    /// <param name="latents">x₀ + σ ε, [B, C, h, w].</param>
    /// <param name="sigma">Their noise level, not negative.</param>
    /// <param name="time">The time that the model is told, 0 to T - 1.</param>
    /// <returns>A fresh tensor, as <paramref name="latents"/>.</returns>
    public Tensor Denoised(Tensor latents, double sigma, double time)
    {
        ArgumentNullException.ThrowIfNull(latents);
        ArgumentOutOfRangeException.ThrowIfNegative(sigma);
        using var scope = NewDisposeScope();
        var predicted = Model(latents / Math.Sqrt(sigma * sigma + 1), time);   // [B, C, h, w]
        return Context.Prediction.OriginalAtSigma(latents, predicted, sigma).MoveToOuterDisposeScope();
    }
}

namespace StableTune.Schedules;

/// <summary>
/// The learning rate rises, stays, and falls at the end (transformers and sd-scripts: <c>warmup_stable_decay</c>). A run can be prolonged
/// from a state before the fall without another course up to there.
/// </summary>
/// <remarks>Hu et al., MiniCPM, arXiv:2404.06395, section 4.</remarks>
public sealed record WarmupStableDecayScheduleOptions : LrScheduleOptions
{
    /// <summary>How long the rate rises. Default no steps.</summary>
    public Warmup Warmup { get; init; }

    /// <summary>How long it falls at the end, in steps or as a part of the run (<c>lr_decay_steps</c>). Default no steps: the run ends
    /// at full height.</summary>
    public Warmup Decay { get; init; }

    /// <summary>The factor from which it rises and to which it falls, 0 to 1 (<c>lr_scheduler_min_lr_ratio</c>). Default 0.</summary>
    public double MinRatio { get; init; }

    /// <summary>Half waves of a cosine decay (<c>lr_scheduler_num_cycles</c>). Default 1, once down.</summary>
    public double Cycles { get; init; } = 1;

    /// <summary>How it rises. Default <see cref="RampShape.Linear"/>.</summary>
    public RampShape WarmupType { get; init; } = RampShape.Linear;

    /// <summary>How it falls. Default <see cref="RampShape.Cosine"/>.</summary>
    public RampShape DecayType { get; init; } = RampShape.Cosine;

    /// <inheritdoc/>
    public override string Name => "warmup_stable_decay";

    /// <inheritdoc/>
    public override int WarmupSteps(int totalSteps) => Warmup.In(totalSteps);

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (!Warmup.IsValid)
            yield return Problem(Warmup, "the warm-up must be 0 or more steps, or a ratio in 0 to 1",
                "use Warmup.Steps(100) or Warmup.Ratio(0.05)");
        if (!Decay.IsValid)
            yield return Problem(Decay, "the fall must be 0 or more steps, or a ratio in 0 to 1",
                "use Warmup.Steps(200) or Warmup.Ratio(0.2)");
        if (!(MinRatio is >= 0 and <= 1))
            yield return Problem(MinRatio, "the least part of the learning rate lies in 0 to 1", "0 falls to nothing");
        if (!(Cycles > 0 && double.IsFinite(Cycles)))
            yield return Problem(Cycles, "the number of half waves must be positive", "1 falls once");
    }

    /// <inheritdoc/>
    public override ILrSchedule Create(int totalSteps)
    {
        var (warmup, decay) = (Warmup.In(totalSteps), Decay.In(totalSteps));
        var fall = totalSteps - decay;                                       // where it begins
        double Lifted(double height) => Math.Max(0, (height * (1 - MinRatio)) + MinRatio);
        return new ScheduleCurve(step => step < warmup ? Lifted(WarmupType.Rise(step / (double)warmup))
            : step < fall ? 1
            : step < totalSteps ? Lifted(DecayType.Fall((step - fall) / (double)decay, Cycles / 2))
            : MinRatio);
    }
}

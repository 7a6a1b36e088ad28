namespace StableTune.Schedules;

/// <summary>After the warm-up the learning rate follows a cosine down to a share of itself (transformers and sd-scripts:
/// <c>cosine_with_min_lr</c>).</summary>
/// <remarks>Beyond the planned end it rises again, as in transformers.</remarks>
public sealed record CosineWithMinLrScheduleOptions : WarmedScheduleOptions
{
    /// <summary>The least factor, 0 to 1 (<c>lr_scheduler_min_lr_ratio</c>). Must be set: 0.1 is customary.</summary>
    public double? MinRatio { get; init; }

    /// <summary>Half waves over the run: 1 falls once, 2 falls and rises again (<c>lr_scheduler_num_cycles</c>). Default 1.</summary>
    public double Cycles { get; init; } = 1;

    /// <inheritdoc/>
    public override string Name => "cosine_with_min_lr";

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (MinRatio is not (>= 0 and <= 1))
            yield return Problem(MinRatio, "the least part of the learning rate lies in 0 to 1, and must be set", "0.1 is customary");
        if (!(Cycles > 0 && double.IsFinite(Cycles)))
            yield return Problem(Cycles, "the number of half waves must be positive", "1 falls once");
    }

    /// <inheritdoc/>
    protected override ILrSchedule After(ScheduleSetup setup, int warmupSteps)
    {
        var least = MinRatio ?? 0;
        return OverRest(setup, warmupSteps, done => Math.Max(0, CosineScheduleOptions.At(Cycles / 2, done) * (1 - least) + least));
    }
}

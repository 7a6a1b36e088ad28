using StableTune.Data;

namespace StableTune.Schedules;

/// <summary>
/// After the warm-up the learning rate falls as a power of the steps that are left, to a rate above 0 that then stays (diffusers and
/// sd-scripts: <c>polynomial</c>): ((r - e) (1 - x)^power + e) / r, for the run's rate r and the end e.
/// </summary>
public sealed record PolynomialScheduleOptions : WarmedScheduleOptions
{
    /// <summary>The exponent (<c>lr_scheduler_power</c>): 1 is a straight line, more falls early, less falls late. Default 1.</summary>
    public double Power { get; init; } = 1;

    /// <summary>The learning rate at the end, for parts that have the run's rate; others end at the same share of theirs
    /// (<c>lr_end</c>). Below the run's rate. Default 1e-7.</summary>
    public double EndRate { get; init; } = 1e-7;

    /// <inheritdoc/>
    public override string Name => "polynomial";

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (!(Power > 0 && double.IsFinite(Power))) yield return Problem(Power, "the power must be positive", "1 is a straight line");
        if (!(EndRate >= 0 && double.IsFinite(EndRate)))
            yield return Problem(EndRate, "the rate at the end must not be negative", "1e-7 is customary");
    }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Fits(TrainingPlan plan, TrainingDataset? dataset)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var rate = plan.LearningRate * plan.LearningRateScale;
        if (!(EndRate < rate))
            yield return Problem(EndRate, $"the rate at the end must lie below TrainingPlan.LearningRate ({rate})",
                "give a lower end, or set the run's rate, also where each part has its own");
    }

    /// <inheritdoc/>
    protected override ILrSchedule After(ScheduleSetup setup, int warmupSteps)
    {
        var (first, last) = (setup.LearningRate, EndRate);
        return OverRest(setup, warmupSteps, done =>
            done > 1 ? last / first : ((first - last) * Math.Pow(1 - done, Power) + last) / first);
    }
}

using StableTune.Training;

namespace StableTune.Schedules;

/// <summary>Options of a schedule that may begin with a rise from 0; what comes after is what the kind is about.</summary>
public abstract record WarmedScheduleOptions : LrScheduleOptions
{
    /// <summary>How long the rate rises linearly from 0, before the schedule's own course. Default no steps.</summary>
    public Warmup Warmup { get; init; }

    /// <inheritdoc/>
    public override int WarmupSteps(int totalSteps) => Warmup.In(totalSteps);

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (!Warmup.IsValid)
            yield return Problem(Warmup, "the warm-up must be 0 or more steps, or a ratio in 0 to 1",
                "use Warmup.Steps(100) or Warmup.Ratio(0.05)");
    }

    /// <inheritdoc/>
    public sealed override ILrSchedule Create(int totalSteps) => Create(new ScheduleSetup(totalSteps));

    /// <inheritdoc/>
    public override ILrSchedule Create(ScheduleSetup setup)
    {
        var warmup = WarmupSteps(setup.TotalSteps);
        var after = After(setup, warmup);
        return warmup == 0 ? after : new WarmedSchedule(warmup, after);
    }

    /// <summary>The course after the warm-up.</summary>
    /// <param name="setup">What is known of the run.</param>
    /// <param name="warmupSteps">Steps of warm-up, w; the schedule is asked for steps from w on, counted from the run's beginning.</param>
    protected abstract ILrSchedule After(ScheduleSetup setup, int warmupSteps);

    /// <summary>A schedule that is a function of the part x of the steps after the warm-up that are done: 0 at its end, 1 at the end of
    /// the run, more beyond.</summary>
    /// <param name="setup">What is known of the run.</param>
    /// <param name="warmupSteps">Steps of warm-up.</param>
    /// <param name="factor">The factor at x.</param>
    private protected static ILrSchedule OverRest(ScheduleSetup setup, int warmupSteps, Func<double, double> factor)
    {
        double length = Math.Max(1, setup.TotalSteps - warmupSteps);
        return new ScheduleCurve(step => factor((step - warmupSteps) / length));
    }
}

/// <summary>step / w below w, another schedule from there on.</summary>
internal sealed class WarmedSchedule(int warmupSteps, ILrSchedule after) : ILrSchedule
{
    public bool NeedsEveryLoss => after.NeedsEveryLoss;

    public double Factor(int step) => step < warmupSteps ? step / (double)warmupSteps : after.Factor(step);

    public double Rate(int step, double initialRate) =>
        step < warmupSteps ? initialRate * Factor(step) : after.Rate(step, initialRate);

    /// <remarks>What is measured while the rate rises says nothing of whether it should fall.</remarks>
    public void Observe(in ScheduleMetrics metrics)
    {
        if (metrics.Step >= warmupSteps) after.Observe(metrics);
    }

    public void Save(StateWriter writer) => after.Save(writer);

    public void Load(StateReader reader) => after.Load(reader);
}

/// <summary>A schedule that is nothing but a function of the step.</summary>
internal sealed class ScheduleCurve(Func<int, double> factor) : ILrSchedule
{
    public double Factor(int step) => factor(step);
}

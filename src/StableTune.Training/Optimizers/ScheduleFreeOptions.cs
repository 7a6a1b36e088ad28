using StableTune.Schedules;

namespace StableTune.Optimizers;

/// <summary>
/// Optimizers that need no schedule: gradients are taken at weights y between those that step, z, and their average, x, from which samples
/// are drawn and which is saved (Defazio et al., The Road Less Scheduled, arXiv:2405.15682). The rate stays as it is; the plan's schedule
/// is not followed.
/// </summary>
public abstract record ScheduleFreeOptions : OptimizerOptions
{
    /// <summary>Weight decay at y, per unit of learning rate, not negative. Default 0.</summary>
    public double WeightDecay { get; init; }

    /// <summary>r: a step counts in the average in proportion to t^r; not negative. Default 0.</summary>
    public double StepPower { get; init; }

    /// <summary>A step counts in the average in proportion to this power of the largest rate so far; not negative. Default 2.</summary>
    public double RatePower { get; init; } = 2;

    /// <inheritdoc/>
    /// <remarks>The average belongs to all parameters of a group together.</remarks>
    public sealed override bool StepsOneByOne => false;

    /// <inheritdoc/>
    public sealed override bool HasEvaluationWeights => true;

    /// <summary>How far y lies from z towards x: β₁, or the momentum.</summary>
    internal abstract double Interpolation { get; }

    /// <summary>The rate of a step.</summary>
    /// <param name="rate">The group's.</param>
    /// <param name="step">The number of the step, from 1.</param>
    internal abstract double RateOf(double rate, int step);

    private protected IEnumerable<(string Name, object? Value, object? Usual)> AverageArguments =>
        [("weight_decay", WeightDecay, 0.0), ("r", StepPower, 0.0), ("weight_lr_power", RatePower, 2.0)];

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() =>
    [
        .. NotNegative(WeightDecay, "0 turns it off"), .. NotNegative(StepPower, "0 is customary"),
        .. NotNegative(RatePower, "2 is customary"),
    ];

    private protected IEnumerable<OptionProblem> Between(double value, string name) =>
        value is > 0 and < 1 ? [] : [Problem(value, "it must lie between 0 and 1", "0.9 is customary", name)];

    private protected IEnumerable<OptionProblem> Steps(int value, string name) =>
        value >= 0 ? [] : [Problem(value, "steps are counted from 0", "give 0 for none", name)];

    /// <inheritdoc/>
    /// <remarks>A constant rate.</remarks>
    public sealed override LrScheduleOptions ScheduleOf(TrainingPlan plan) => new ConstantScheduleOptions();

    /// <inheritdoc/>
    public override IEnumerable<string> Warnings(TrainingPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        if (plan.Schedule is not ConstantScheduleOptions)
            yield return $"TrainingPlan.Schedule is {plan.Schedule.Name}: it is not followed, because {GetType().Name} needs none. Set "
                + "its own warm-up, if it has one, or choose another optimizer.";
    }
}

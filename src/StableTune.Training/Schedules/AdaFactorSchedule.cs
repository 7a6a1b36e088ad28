using StableTune.Data;
using StableTune.Optimizers;

namespace StableTune.Schedules;

/// <summary>
/// Changes nothing, and stands for the rate that AdaFactor finds itself: what a run reports is the optimizer's own rate, before the first
/// step the initial one (sd-scripts: <c>adafactor</c>, or <c>adafactor:1e-3</c> with that rate). Goes with <see cref="AdaFactorOptions"/>
/// alone.
/// </summary>
public sealed record AdaFactorScheduleOptions : LrScheduleOptions
{
    /// <summary>The rate that metadata say the run began with; null, the default, leaves it out.</summary>
    public double? InitialRate { get; init; }

    /// <inheritdoc/>
    public override string Name => InitialRate is { } rate ? $"adafactor:{PythonRepr.Of(rate)}" : "adafactor";

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Fits(TrainingPlan plan, TrainingDataset? dataset)
    {
        ArgumentNullException.ThrowIfNull(plan);
        if (plan.Optimizer is not AdaFactorOptions)
            yield return new OptionProblem($"{nameof(TrainingPlan)}.{nameof(TrainingPlan.Schedule)}", Name,
                $"it tells AdaFactor's rate, and the optimizer is {plan.Optimizer.GetType().Name}",
                "choose another schedule, or AdaFactorOptions");
    }

    /// <inheritdoc/>
    public override ILrSchedule Create(int totalSteps) => new ConstantSchedule();
}

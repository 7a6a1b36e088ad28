using StableTune.Training;

namespace StableTune.Schedules;

/// <summary>A learning-rate schedule: a factor on each group's initial rate.</summary>
public interface ILrSchedule
{
    /// <summary>The factor for a step.</summary>
    /// <param name="step">The optimizer step, counted from 0: the first step uses <c>Factor(0)</c>.</param>
    double Factor(int step);

    /// <summary>The learning rate of a group for a step. Default: its initial rate times <see cref="Factor"/>. A schedule that ends at a
    /// rate of its own, whatever the initial one, overrides it.</summary>
    /// <param name="step">The optimizer step, counted from 0.</param>
    /// <param name="initialRate">The group's rate as the run was given it.</param>
    double Rate(int step, double initialRate) => initialRate * Factor(step);

    /// <summary>
    /// Whether the factor of a step depends on the losses of all steps before it: losses are then read at once, also on a GPU, where the
    /// host would otherwise learn of them a step late. Default false.
    /// </summary>
    bool NeedsEveryLoss => false;

    /// <summary>Told of what was measured after a step: schedules that wait for a plateau look at it. Default: not looked at.</summary>
    /// <param name="metrics">The losses known after the step.</param>
    void Observe(in ScheduleMetrics metrics) { }

    /// <summary>Writes what the schedule remembers, where it is more than the number of the step. Default nothing.</summary>
    void Save(StateWriter writer) { }

    /// <summary>Takes over what <see cref="Save"/> wrote.</summary>
    void Load(StateReader reader) { }
}

/// <summary>What a schedule may look at.</summary>
/// <param name="Step">Optimizer steps done.</param>
/// <param name="Loss">The loss of the last step.</param>
/// <param name="AverageLoss">The mean over the last epoch's worth of batches.</param>
/// <param name="ValidationLoss">The last loss on images that are held out; NaN before it was measured.</param>
public readonly record struct ScheduleMetrics(int Step, double Loss, double AverageLoss, double ValidationLoss)
{
    /// <summary>How often the loss on held-out images has been measured: a number that has grown tells of a new one.</summary>
    public int Validations { get; init; }
}

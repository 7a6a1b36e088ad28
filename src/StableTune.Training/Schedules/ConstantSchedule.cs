using StableTune.Training;

namespace StableTune.Schedules;

/// <summary>The learning rate stays as it is (sd-scripts: <c>constant</c>).</summary>
public sealed record ConstantScheduleOptions : LrScheduleOptions
{
    /// <inheritdoc/>
    public override string Name => "constant";

    /// <inheritdoc/>
    public override ILrSchedule Create(int totalSteps) => new ConstantSchedule();
}

internal sealed class ConstantSchedule : ILrSchedule
{
    public double Factor(int step) => 1;
}

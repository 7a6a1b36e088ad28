namespace StableTune.Schedules;

/// <summary>After the warm-up the learning rate falls in a straight line to 0 at the end (diffusers and sd-scripts:
/// <c>linear</c>).</summary>
public sealed record LinearScheduleOptions : WarmedScheduleOptions
{
    /// <inheritdoc/>
    public override string Name => "linear";

    /// <inheritdoc/>
    protected override ILrSchedule After(ScheduleSetup setup, int warmupSteps) =>
        // By the steps that are left: a warm-up of the whole run ends at 0.
        new ScheduleCurve(step => Math.Max(0, (setup.TotalSteps - step) / (double)Math.Max(1, setup.TotalSteps - warmupSteps)));
}

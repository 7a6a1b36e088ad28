namespace StableTune.Schedules;

/// <summary>After the warm-up the learning rate falls in a straight line to 0 at the end (diffusers and sd-scripts:
/// <c>linear</c>).</summary>
public sealed record LinearScheduleOptions : WarmedScheduleOptions
{
    /// <inheritdoc/>
    public override string Name => "linear";

    /// <inheritdoc/>
    protected override ILrSchedule After(ScheduleSetup setup, int warmupSteps) =>
        OverRest(setup, warmupSteps, done => Math.Max(0, 1 - done));
}

namespace StableTune.Schedules;

/// <summary>The learning rate rises linearly from 0 and then stays (diffusers and sd-scripts: <c>constant_with_warmup</c>).</summary>
public sealed record ConstantWithWarmupScheduleOptions : WarmedScheduleOptions
{
    /// <inheritdoc/>
    public override string Name => "constant_with_warmup";

    /// <inheritdoc/>
    protected override ILrSchedule After(ScheduleSetup setup, int warmupSteps) => new ConstantSchedule();
}

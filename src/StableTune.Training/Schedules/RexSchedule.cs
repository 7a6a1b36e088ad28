namespace StableTune.Schedules;

/// <summary>After the warm-up the learning rate stays high for long and falls to 0 late: (1 - x) / (½ + ½ (1 - x)).</summary>
/// <remarks>Chen et al., REX: revisiting budgeted training with an improved schedule, arXiv:2107.04197, section 4.</remarks>
public sealed record RexScheduleOptions : WarmedScheduleOptions
{
    /// <inheritdoc/>
    public override string Name => "rex";

    /// <inheritdoc/>
    protected override ILrSchedule After(ScheduleSetup setup, int warmupSteps) => OverRest(setup, warmupSteps, done =>
    {
        var left = Math.Max(0, 1 - done);
        return left / (0.5 + (0.5 * left));
    });
}

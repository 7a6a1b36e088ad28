namespace StableTune.Schedules;

/// <summary>After the warm-up the learning rate falls as 1 / √t, which never ends (transformers and sd-scripts:
/// <c>inverse_sqrt</c>): 1 / √((step + s) / timescale), s = timescale - warm-up.</summary>
/// <remarks>Zhai et al., Scaling vision transformers, arXiv:2106.04560, section 3.4.</remarks>
public sealed record InverseSqrtScheduleOptions : WarmedScheduleOptions
{
    private const int WithoutWarmup = 10_000;

    /// <summary>Steps in which the rate falls by √2 the first time (<c>lr_scheduler_timescale</c>); null, the default, for the steps of
    /// the warm-up, or 10000 without one.</summary>
    public int? Timescale { get; init; }

    /// <inheritdoc/>
    public override string Name => "inverse_sqrt";

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (Timescale is < 1)
            yield return Problem(Timescale, "the time scale must be at least one step", "leave it unset for the warm-up's");
    }

    /// <inheritdoc/>
    protected override ILrSchedule After(ScheduleSetup setup, int warmupSteps)
    {
        double scale = Timescale ?? (warmupSteps > 0 ? warmupSteps : WithoutWarmup);
        return new ScheduleCurve(step => 1 / Math.Sqrt((step - warmupSteps + scale) / scale));
    }
}

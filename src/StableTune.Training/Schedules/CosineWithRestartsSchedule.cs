namespace StableTune.Schedules;

/// <summary>After the warm-up the learning rate falls to 0 along half a cosine, several times, each time from its full height
/// (diffusers and sd-scripts: <c>cosine_with_restarts</c>).</summary>
/// <remarks>Loshchilov and Hutter, SGDR, arXiv:1608.03983, equation 5 with cycles of one length.</remarks>
public sealed record CosineWithRestartsScheduleOptions : WarmedScheduleOptions
{
    /// <summary>How often it falls (<c>lr_scheduler_num_cycles</c>). Default 1, which is no restart.</summary>
    public double Cycles { get; init; } = 1;

    /// <inheritdoc/>
    public override string Name => "cosine_with_restarts";

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (!(Cycles > 0 && double.IsFinite(Cycles)))
            yield return Problem(Cycles, "the number of cycles must be positive", "3 restarts twice");
    }

    /// <inheritdoc/>
    protected override ILrSchedule After(ScheduleSetup setup, int warmupSteps) =>
        OverRest(setup, warmupSteps, done => done >= 1 ? 0 : Math.Max(0, CosineScheduleOptions.At(0.5, Cycles * done % 1)));
}

namespace StableTune.Schedules;

/// <summary>
/// After the warm-up the learning rate follows a cosine, with the default of half a wave down to 0 at the end (diffusers and sd-scripts:
/// <c>cosine</c>).
/// </summary>
/// <remarks>Loshchilov and Hutter, SGDR, arXiv:1608.03983, equation 5. Beyond the planned end it rises again, as in diffusers.</remarks>
public sealed record CosineScheduleOptions : WarmedScheduleOptions
{
    /// <summary>How many waves there are, 0.5 being one way down (<c>num_cycles</c> among sd-scripts' <c>lr_scheduler_args</c>; its
    /// <c>lr_scheduler_num_cycles</c> is not looked at). Default 0.5.</summary>
    public double Waves { get; init; } = 0.5;

    /// <inheritdoc/>
    public override string Name => "cosine";

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (!(Waves > 0 && double.IsFinite(Waves)))
            yield return Problem(Waves, "the number of waves must be positive", "0.5 falls once from 1 to 0");
    }

    /// <inheritdoc/>
    protected override ILrSchedule After(ScheduleSetup setup, int warmupSteps) =>
        OverRest(setup, warmupSteps, done => Math.Max(0, At(Waves, done)));

    /// <summary>½ (1 + cos 2π · waves · done).</summary>
    internal static double At(double waves, double done) => 0.5 * (1 + Math.Cos(Math.PI * 2 * waves * done));
}

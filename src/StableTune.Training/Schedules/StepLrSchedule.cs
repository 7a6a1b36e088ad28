namespace StableTune.Schedules;

/// <summary>The learning rate falls by a factor every so many steps (torch: <c>StepLR</c>).</summary>
public sealed record StepLrScheduleOptions : LrScheduleOptions
{
    /// <summary>Every how many steps (<c>step_size</c>). Must be set.</summary>
    public int? StepSize { get; init; }

    /// <summary>The factor (<c>gamma</c>). Default 0.1.</summary>
    public double Gamma { get; init; } = 0.1;

    /// <inheritdoc/>
    public override string Name => "StepLR";

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (StepSize is not >= 1) yield return Problem(StepSize, "it falls every 1 or more steps, which must be said", "give 500");
        if (!(Gamma > 0 && double.IsFinite(Gamma))) yield return Problem(Gamma, "the factor must be positive", "0.1 is customary");
    }

    /// <inheritdoc/>
    public override ILrSchedule Create(int totalSteps)
    {
        var size = StepSize ?? throw new InvalidOptionsException([.. Validate()]);
        return new ScheduleCurve(step => Math.Pow(Gamma, step / size));
    }
}

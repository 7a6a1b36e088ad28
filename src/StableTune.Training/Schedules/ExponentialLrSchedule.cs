namespace StableTune.Schedules;

/// <summary>The learning rate falls by a factor at every step (torch: <c>ExponentialLR</c>).</summary>
public sealed record ExponentialLrScheduleOptions : LrScheduleOptions
{
    /// <summary>The factor of each step, above 0 (<c>gamma</c>). Must be set: 0.999 falls to a third in 1100 steps.</summary>
    public double? Gamma { get; init; }

    /// <inheritdoc/>
    public override string Name => "ExponentialLR";

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (!(Gamma > 0 && double.IsFinite(Gamma.Value)))
            yield return Problem(Gamma, "the factor of each step must be positive, and said", "0.999 falls to a third in 1100 steps");
    }

    /// <inheritdoc/>
    public override ILrSchedule Create(int totalSteps)
    {
        var gamma = Gamma ?? throw new InvalidOptionsException([.. Validate()]);
        return new ScheduleCurve(step => Math.Pow(gamma, step));
    }
}

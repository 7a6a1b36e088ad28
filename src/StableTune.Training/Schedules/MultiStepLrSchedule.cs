namespace StableTune.Schedules;

/// <summary>The learning rate falls by a factor at each of some steps (torch: <c>MultiStepLR</c>).</summary>
public sealed record MultiStepLrScheduleOptions : LrScheduleOptions
{
    /// <summary>The steps (<c>milestones</c>), counted from 0. Must be set; a step that is there twice counts twice.</summary>
    public IReadOnlyList<int> Milestones { get; init; } = [];

    /// <summary>The factor (<c>gamma</c>). Default 0.1.</summary>
    public double Gamma { get; init; } = 0.1;

    /// <inheritdoc/>
    public override string Name => "MultiStepLR";

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Milestones.Count == 0 || Milestones.Any(step => step < 1))
            yield return Problem(string.Join(", ", Milestones), "it falls at 1 or more steps after the first, which must be said",
                "give [500, 1000]", nameof(Milestones));
        if (!(Gamma > 0 && double.IsFinite(Gamma))) yield return Problem(Gamma, "the factor must be positive", "0.1 is customary");
    }

    /// <inheritdoc/>
    public override ILrSchedule Create(int totalSteps) =>
        new ScheduleCurve(step => Math.Pow(Gamma, Milestones.Count(milestone => milestone <= step)));
}

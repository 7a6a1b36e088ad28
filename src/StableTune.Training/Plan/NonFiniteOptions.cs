namespace StableTune;

/// <summary>What happens to a step whose loss or gradients are infinite or not a number. Weights never take part in it.</summary>
public sealed record NonFiniteOptions : OptionsBase
{
    /// <summary>
    /// Whether the step is left out and the run goes on: neither weights nor optimizer nor schedule move. Default false: the run ends with
    /// <see cref="Training.TrainingDivergedException"/>, and the weights before the step are saved.
    /// </summary>
    public bool Skip { get; init; }

    /// <summary>With <see cref="Skip"/>: the most steps in a row that are left out; one more ends the run. Default 10.</summary>
    public int MostInARow { get; init; } = 10;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (MostInARow < 1) yield return Problem(MostInARow, "at least one step may be left out", "set Skip to false to leave out none");
    }
}

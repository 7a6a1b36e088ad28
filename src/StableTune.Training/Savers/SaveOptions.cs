namespace StableTune;

/// <summary>When results are saved besides at the end.</summary>
public sealed record SaveOptions : OptionsBase
{
    /// <summary>After every so many optimizer steps; null for never.</summary>
    public int? EveryNSteps { get; init; }

    /// <summary>At the end of every so many epochs, except the last (which the final save covers); null for never.</summary>
    public int? EveryNEpochs { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (EveryNSteps is < 1)
            yield return Problem(EveryNSteps, "the number of steps between saves must be at least 1",
                "leave it unset to save at the end only");
        if (EveryNEpochs is < 1)
            yield return Problem(EveryNEpochs, "the number of epochs between saves must be at least 1",
                "leave it unset to save at the end only");
    }

    internal bool IsDueAfterStep(int step) => EveryNSteps is { } n && step % n == 0;

    internal bool IsDueAfterEpoch(int epoch, int totalEpochs) => EveryNEpochs is { } n && epoch % n == 0 && epoch < totalEpochs;
}

namespace StableTune;

/// <summary>When the loss on held-out images (<see cref="DatasetOptions.ValidationSplit"/>) is measured. With neither number set: after
/// each epoch.</summary>
public sealed record ValidationOptions : OptionsBase
{
    /// <summary>After every so many steps; null, the default, for never.</summary>
    public int? EveryNSteps { get; init; }

    /// <summary>At the end of every so many epochs; null, the default, is every epoch, unless <see cref="EveryNSteps"/> is set.</summary>
    public int? EveryNEpochs { get; init; }

    /// <summary>Batches at most, always the same ones; null, the default, for all.</summary>
    public int? MaxSteps { get; init; }

    /// <summary>Seeds noise and latents, which are the same each time; null, the default, is the seed of the run.</summary>
    public long? Seed { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (EveryNSteps < 1)
            yield return Problem(EveryNSteps, "the number of steps between measurements must be at least 1",
            "leave it unset to measure after epochs");
        if (EveryNEpochs < 1)
            yield return Problem(EveryNEpochs, "the number of epochs between measurements must be at least 1",
                "leave it unset for every epoch");
        if (MaxSteps < 1) yield return Problem(MaxSteps, "at least 1 batch is measured", "leave it unset for all");
    }

    internal bool IsDueAfterStep(int step) => EveryNSteps is { } n && step % n == 0;

    internal bool IsDueAfterEpoch(int epoch) => EveryNEpochs is { } n ? epoch % n == 0 : EveryNSteps is null;
}

using StableTune.Training;

namespace StableTune;

/// <summary>When results are saved besides at the end, how they are called, and how many stay.</summary>
public sealed record SaveOptions : OptionsBase
{
    /// <summary>After every so many optimizer steps; null for never.</summary>
    public int? EveryNSteps { get; init; }

    /// <summary>At the end of every so many epochs, except the last (which the final save covers); null for never.</summary>
    public int? EveryNEpochs { get; init; }

    /// <summary>About so many times in the whole run: at the end of every (epochs / ratio) epochs (<c>save_n_epoch_ratio</c>). Null, the
    /// default, leaves it to <see cref="EveryNEpochs"/>.</summary>
    public int? EpochRatio { get; init; }

    /// <summary>Files of the last so many saves of epochs that are kept; older ones are removed. Null, the default, keeps all.</summary>
    public int? KeepLastEpochs { get; init; }

    /// <summary>Files of the last so many <em>steps</em> that are kept; older ones are removed. Null, the default, keeps all.</summary>
    public int? KeepLastSteps { get; init; }

    /// <summary>Whether the weights with the least loss on held-out images are saved too, as <c>name-best</c>. Default no.</summary>
    public bool KeepBest { get; init; }

    /// <summary>
    /// Whether saves during training are written on a thread of their own while training goes on: what is trained is read where it is, and
    /// what is not written when the next update comes is copied to host memory. A save that follows waits until the one before is written.
    /// Default false: a save that is told is on the disk before the next step begins, no memory is needed besides, and next to the
    /// steps between two saves most take no time. Worth it where they are frequent or large, or the disk is slow. The last save of a run
    /// is always waited for.
    /// </summary>
    public bool InBackground { get; init; }

    /// <summary>
    /// What the copies of one save may take of host memory, bytes. The update that would change what has no room among them waits until it
    /// is written. Where an average is saved in the place of what is trained, all is copied at once, and what is larger is written at once.
    /// Default 4 GiB.
    /// </summary>
    public long MaxCopyBytes { get; init; } = 4L << 30;

    /// <summary>How files are called. Default as sd-scripts.</summary>
    public OutputNaming Naming { get; init; } = OutputNaming.SdScripts;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        const string atEnd = "leave it unset to save at the end only", all = "leave it unset to keep all";
        if (EveryNSteps is < 1) yield return Problem(EveryNSteps, "the number of steps between saves must be at least 1", atEnd);
        if (EveryNEpochs is < 1) yield return Problem(EveryNEpochs, "the number of epochs between saves must be at least 1", atEnd);
        if (EpochRatio is < 1) yield return Problem(EpochRatio, "a run is saved at least once", atEnd);
        if (EpochRatio is not null && EveryNEpochs is not null)
            yield return Problem(EpochRatio, "EveryNEpochs says when to save too", "set one of them");
        if (KeepLastEpochs is < 1) yield return Problem(KeepLastEpochs, "at least one file must be kept", all);
        if (KeepLastSteps is < 1) yield return Problem(KeepLastSteps, "the files of at least one step must be kept", all);
        if (MaxCopyBytes < 0)
            yield return Problem(MaxCopyBytes, "copies take no less than nothing", "4 GiB is the default; 0 copies nothing");
        if (Naming is null) yield return Problem(Naming, "files need names", "use OutputNaming.SdScripts");
        else
        {
            const string rule = "older files cannot be told by their names, which have no such number";
            const string names = "use OutputNaming.SdScripts, or " + all;
            if (KeepLastEpochs is not null && !Naming.NumbersEpochs) yield return Problem(KeepLastEpochs, rule, names);
            if (KeepLastSteps is not null && !Naming.NumbersSteps) yield return Problem(KeepLastSteps, rule, names);
        }
    }

    /// <summary>Epochs from one save to the next; null for none.</summary>
    /// <param name="totalEpochs">Epochs of the run.</param>
    public int? EpochsBetween(int totalEpochs) => EveryNEpochs ?? (EpochRatio is { } ratio ? Math.Max(1, totalEpochs / ratio) : null);

    internal bool IsDueAfterStep(int step) => EveryNSteps is { } n && step % n == 0;

    internal bool IsDueAfterEpoch(int epoch, int totalEpochs) =>
        EpochsBetween(totalEpochs) is { } n && epoch % n == 0 && epoch < totalEpochs;
}

using StableTune.Formats;
using StableTune.Training;

namespace StableTune;

/// <summary>
/// Writes the whole state of a run, from which it goes on exactly where it stood (<see cref="ResumeOptions"/>): with each save, at the
/// end, and when it is cancelled. Folders are named as
/// sd-scripts names them: <c>N-step00000100-state</c>, <c>N-000002-state</c>, <c>N-state</c>. Complete or not there, whenever the process
/// ends.
/// </summary>
/// <param name="path">Where states go, with the beginning of their names: "out/frog" gives <c>out/frog-step00000100-state</c>.</param>
public sealed class StateSaver(string path) : ISaver
{
    private readonly Queue<string> _written = new();

    /// <summary>Where states go, with the beginning of their names.</summary>
    public string Path => path;

    /// <summary>Numbered states that are kept, the newest ones, of steps and epochs together; older ones that this run wrote are removed.
    /// Null, the default, keeps all.</summary>
    public int? KeepLast { get; init; }

    /// <summary>States of the last so many saves of epochs that are kept; null, the default, for all.</summary>
    public int? KeepLastEpochs { get; init; }

    /// <summary>States of the last so many <em>steps</em> that are kept; null, the default, for all.</summary>
    public int? KeepLastSteps { get; init; }

    /// <summary>Whether a state is written only at the end, and when the run is cancelled (sd-scripts: <c>save_state_on_train_end</c>).
    /// Default false.</summary>
    public bool OnlyAtEnd { get; init; }

    /// <summary>Whether a state is written only when the run is cancelled or ended by a fault. Default false.</summary>
    public bool OnlyWhenInterrupted { get; init; }

    /// <inheritdoc/>
    public IEnumerable<OptionProblem> Validate()
    {
        foreach (var (kept, name) in new[]
        {
            (KeepLast, nameof(KeepLast)), (KeepLastEpochs, nameof(KeepLastEpochs)), (KeepLastSteps, nameof(KeepLastSteps)),
        })
            if (kept < 1)
                yield return new OptionProblem($"{nameof(StateSaver)}.{name}", kept, "at least one state must be kept",
                    "leave it unset to keep all");
        // The state of an earlier run is replaced as a whole.
        if (!Directory.Exists(path + "-state") && !AtomicFile.CanWrite(path + "-state", out var reason))
            yield return new OptionProblem(
                $"{nameof(StateSaver)}.{nameof(Path)}", path, reason, "name a place in a folder that can be written to");
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Save(SaveMoment moment)
    {
        ArgumentNullException.ThrowIfNull(moment);
        return moment.WriteState is { } write && IsDue(moment) ? Written(moment, write(FolderOf(moment))) : [];
    }

    /// <inheritdoc/>
    public Func<IReadOnlyList<string>>? Prepare(SaveMoment moment, PayloadCopies copies)
    {
        ArgumentNullException.ThrowIfNull(moment);
        if (moment.PrepareState is not { } prepare || !IsDue(moment)) return () => [];
        if (prepare(FolderOf(moment), copies) is not { } write) return null;
        return () => Written(moment, write());
    }

    private bool IsDue(SaveMoment moment) => moment.Reason switch
    {
        SaveReason.Best => false,
        SaveReason.Interrupted => true,
        SaveReason.End => !OnlyWhenInterrupted,
        _ => !OnlyWhenInterrupted && !OnlyAtEnd,
    };

    private string FolderOf(SaveMoment moment) => OutputNames.For(path, Numbered(moment)) + "-state";

    /// <summary>Always numbered, and beside each other: the newest is looked for there.</summary>
    private static SaveMoment Numbered(SaveMoment moment) =>
        moment with { Plan = moment.Plan with { Save = moment.Plan.Save with { Naming = OutputNaming.States } } };

    /// <summary>Removes the states that are not kept, once the new one is complete.</summary>
    private string[] Written(SaveMoment moment, string folder)
    {
        var numbered = Numbered(moment);
        foreach (var old in OutputNames.Outdated(path, numbered, KeepLastEpochs, KeepLastSteps))
            if (Directory.Exists(old + "-state")) Directory.Delete(old + "-state", recursive: true);
        if (moment.Reason == SaveReason.End) return [folder];
        if (!_written.Contains(folder)) _written.Enqueue(folder);
        while (KeepLast is { } most && _written.Count > most)
            if (_written.Dequeue() is var oldest && Directory.Exists(oldest)) Directory.Delete(oldest, recursive: true);
        return [folder];
    }
}

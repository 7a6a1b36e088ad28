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

    /// <summary>Numbered states that are kept, the newest ones; older ones that this run wrote are removed. Null, the default, keeps
    /// all.</summary>
    public int? KeepLast { get; init; }

    /// <summary>Whether a state is written only at the end, and when the run is cancelled (sd-scripts: <c>save_state_on_train_end</c>).
    /// Default false.</summary>
    public bool OnlyAtEnd { get; init; }

    /// <inheritdoc/>
    public IEnumerable<OptionProblem> Validate()
    {
        if (KeepLast < 1)
            yield return new OptionProblem(
            $"{nameof(StateSaver)}.{nameof(KeepLast)}", KeepLast, "at least one state must be kept", "leave it unset to keep all");
        if (!AtomicFile.CanWrite(path + "-state", out var reason))
            yield return new OptionProblem(
                $"{nameof(StateSaver)}.{nameof(Path)}", path, reason, "name a place in a folder that can be written to");
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Save(SaveMoment moment)
    {
        ArgumentNullException.ThrowIfNull(moment);
        if (moment.WriteState is not { } write || (OnlyAtEnd && moment.Reason is (SaveReason.Step or SaveReason.Epoch))
            || moment.Reason == SaveReason.Best) return [];
        var folder = write(OutputNames.For(path, moment) + "-state");
        if (moment.Reason == SaveReason.End) return [folder];
        if (!_written.Contains(folder)) _written.Enqueue(folder);
        // Only after the new one is complete.
        while (KeepLast is { } most && _written.Count > most) Directory.Delete(_written.Dequeue(), recursive: true);
        return [folder];
    }
}

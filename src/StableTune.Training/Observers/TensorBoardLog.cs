using StableTune.Formats;
using StableTune.Imaging;
using StableTune.Training;

namespace StableTune;

/// <summary>
/// Writes event files that TensorBoard shows: losses, rates and norms of every step, sample pictures, and by option the configuration.
/// <c>tensorboard --logdir FOLDER</c> shows all runs of a folder.
/// </summary>
/// <param name="folder">The run's folder; a run that goes on writes a further file into it.</param>
public sealed class TensorBoardLog(string folder) : ITrainingObserver, IResumable
{
    private TensorBoardFile? _file;

    /// <summary>What is told about the run as a text, such as its options; secrets do not belong into it. Null, the default, for
    /// nothing.</summary>
    public string? Configuration { get; init; }

    /// <inheritdoc/>
    public IEnumerable<OptionProblem> Validate()
    {
        if (!AtomicFile.CanWriteInto(folder, out var reason))
            yield return new OptionProblem($"{nameof(TensorBoardLog)}.folder", folder, reason, "name a folder that can be written to");
    }

    /// <inheritdoc/>
    public void OnStart(TrainingStart start)
    {
        ArgumentNullException.ThrowIfNull(start);
        _file = new TensorBoardFile(folder, start.Plan.Clock);
        var step = start.ResumedAt?.Step ?? 0;
        if (Configuration is { } text) _file.Text("configuration", $"```\n{text}\n```", step);
        if (start.Warnings.Count > 0) _file.Text("warnings", string.Join("\n\n", start.Warnings), step);
    }

    /// <inheritdoc/>
    public void OnStep(TrainingProgress progress)
    {
        ArgumentNullException.ThrowIfNull(progress);
        _file?.Scalars(TrackedValues.OfStep(progress), progress.Step);
    }

    /// <inheritdoc/>
    public void OnEpoch(TrainingProgress progress)
    {
        ArgumentNullException.ThrowIfNull(progress);
        _file?.Scalars(TrackedValues.OfEpoch(progress), progress.Epoch);
    }

    /// <inheritdoc/>
    public void OnValidation(TrainingValidation validation)
    {
        ArgumentNullException.ThrowIfNull(validation);
        _file?.Scalars(TrackedValues.OfValidation(validation), validation.Step);
    }

    /// <inheritdoc/>
    public void OnSample(int step, IReadOnlyList<string> files)
    {
        ArgumentNullException.ThrowIfNull(files);
        // The contact sheet, which is the last, repeats the others.
        foreach (var (path, index) in files.SkipLast(1).Select((path, index) => (path, index)))
        {
            var size = ImageHeader.ReadSize(path);
            _file?.Image(FormattableString.Invariant($"samples/{index:D2}"), File.ReadAllBytes(path), size.Width, size.Height, step);
        }
    }

    /// <inheritdoc/>
    public void OnEnd(TrainingEnd end)
    {
        _file?.Dispose();
        _file = null;
    }

    string IResumable.Name => nameof(TensorBoardLog);

    // Readers merge the files of a folder by step; the later one counts.
    void IResumable.Save(StateWriter writer) { }

    void IResumable.Load(StateReader reader) { }
}

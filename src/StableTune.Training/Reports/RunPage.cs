using StableTune.Training;

namespace StableTune;

/// <summary>Writes a text about a run when it ends, well or not. A run that is resumed goes on with what its state holds.</summary>
public abstract class RunPage : ITrainingObserver, IResumable
{
    private readonly string _path;
    private readonly List<string> _warnings = [];
    private RunRecord _record = new();

    private protected RunPage(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        _path = path;
    }

    /// <inheritdoc/>
    public IEnumerable<string> Warnings => _warnings;

    /// <inheritdoc/>
    public IEnumerable<OptionProblem> Validate()
    {
        if (!AtomicFile.CanWrite(_path, out var reason))
            yield return new OptionProblem($"{GetType().Name}.path", _path, reason, "name a file in a folder that can be written to");
        else if (!LeavesFilesOfOthers && IsOfAnother())
            yield return new OptionProblem($"{GetType().Name}.path", _path, "the file that is there was not written by a run",
                "name another file, or move that one away");
    }

    /// <inheritdoc/>
    public void OnStart(TrainingStart start)
    {
        ArgumentNullException.ThrowIfNull(start);
        if (start.ResumedAt is null) _record = new RunRecord();
        _record.Start(start);
        _warnings.Clear();
    }

    /// <inheritdoc/>
    public void OnStep(TrainingProgress progress)
    {
        ArgumentNullException.ThrowIfNull(progress);
        _record.Add(progress);
    }

    /// <inheritdoc/>
    public void OnSave(SaveMoment moment, IReadOnlyList<string> files)
    {
        ArgumentNullException.ThrowIfNull(moment);
        ArgumentNullException.ThrowIfNull(files);
        _record.Add(moment, files);
    }

    /// <inheritdoc/>
    public void OnValidation(TrainingValidation validation)
    {
        ArgumentNullException.ThrowIfNull(validation);
        _record.Add(validation);
    }

    /// <inheritdoc/>
    public void OnSample(int step, IReadOnlyList<string> files)
    {
        ArgumentNullException.ThrowIfNull(files);
        _record.AddSamples(step, files);
    }

    /// <inheritdoc/>
    public void OnEnd(TrainingEnd end)
    {
        ArgumentNullException.ThrowIfNull(end);
        if (_record.Started is null) return;                                 // the run ended before it began
        _record.End(end);
        if (IsOfAnother())
        {
            _warnings.Add($"{_path} was not written by a run, and is left as it is.");
            return;
        }

        AtomicFile.WriteText(_path, Text(_record, Path.GetDirectoryName(Path.GetFullPath(_path))!));
    }

    string IResumable.Name => GetType().Name;

    void IResumable.Save(StateWriter writer) => _record.Save(writer);

    void IResumable.Load(StateReader reader)
    {
        _record = new RunRecord();
        _record.Load(reader);
    }

    /// <summary>By this a text that a run has written is known again.</summary>
    private protected abstract string Mark { get; }

    /// <summary>Whether a file that a person has written is left alone in the end; else it is refused before the run begins.</summary>
    private protected abstract bool LeavesFilesOfOthers { get; }

    private bool IsOfAnother() => File.Exists(_path) && !File.ReadAllText(_path).Contains(Mark, StringComparison.Ordinal);

    /// <summary>What is written.</summary>
    /// <param name="record">What happened.</param>
    /// <param name="folder">The folder that it is written into.</param>
    private protected abstract string Text(RunRecord record, string folder);
}

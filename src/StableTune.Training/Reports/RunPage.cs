using StableTune.Training;

namespace StableTune;

/// <summary>Writes a text about a run when it ends, well or not. A run that is resumed goes on with what its state holds.</summary>
public abstract class RunPage : ITrainingObserver, IResumable
{
    private readonly string _path;
    private RunRecord _record = new();

    private protected RunPage(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        _path = path;
    }

    /// <inheritdoc/>
    public IEnumerable<OptionProblem> Validate()
    {
        if (!AtomicFile.CanWrite(_path, out var reason))
            yield return new OptionProblem($"{GetType().Name}.path", _path, reason, "name a file in a folder that can be written to");
    }

    /// <inheritdoc/>
    public void OnStart(TrainingStart start)
    {
        ArgumentNullException.ThrowIfNull(start);
        if (start.ResumedAt is null) _record = new RunRecord();
        _record.Start(start);
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
        AtomicFile.WriteText(_path, Text(_record, Path.GetDirectoryName(Path.GetFullPath(_path))!));
    }

    string IResumable.Name => GetType().Name;

    void IResumable.Save(StateWriter writer) => _record.Save(writer);

    void IResumable.Load(StateReader reader)
    {
        _record = new RunRecord();
        _record.Load(reader);
    }

    /// <summary>What is written.</summary>
    /// <param name="record">What happened.</param>
    /// <param name="folder">The folder that it is written into.</param>
    private protected abstract string Text(RunRecord record, string folder);
}

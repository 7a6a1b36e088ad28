using System.Text.Json.Nodes;
using StableTune.Training;

namespace StableTune;

/// <summary>
/// Keeps a run for Weights and Biases on the disk: <c>config.json</c>, a JSON object a line in <c>metrics.jsonl</c> and pictures in
/// <c>media</c>, under the names that sd-scripts logs. Nothing is sent anywhere: the page of logs says how to bring it there.
/// </summary>
/// <remarks>The client's own files are a private form, and its upload an undocumented one.</remarks>
/// <param name="folder">The run's folder.</param>
public sealed class WandbSpool(string folder) : ITrainingObserver, IResumable
{
    private const string Metrics = "metrics.jsonl", Media = "media";

    private TimeProvider _time = TimeProvider.System;
    private StreamWriter? _writer;
    private long _length;

    /// <summary>The project; null, the default, for none.</summary>
    public string? Project { get; init; }

    /// <summary>The name of the run; null, the default, for none.</summary>
    public string? RunName { get; init; }

    /// <summary>What is told about the run as a text, such as its options; secrets do not belong into it. Null, the default, for
    /// nothing.</summary>
    public string? Configuration { get; init; }

    /// <inheritdoc/>
    public IEnumerable<OptionProblem> Validate()
    {
        if (!AtomicFile.CanWriteInto(folder, out var reason))
            yield return new OptionProblem($"{nameof(WandbSpool)}.folder", folder, reason, "name a folder that can be written to");
    }

    /// <inheritdoc/>
    public void OnStart(TrainingStart start)
    {
        ArgumentNullException.ThrowIfNull(start);
        _time = start.Plan.Clock;
        Directory.CreateDirectory(folder);
        AtomicFile.WriteText(Path.Combine(folder, "config.json"), new JsonObject
        {
            ["project"] = Project, ["name"] = RunName, ["seed"] = start.Plan.Seed, ["total_steps"] = start.TotalSteps,
            ["total_epochs"] = start.TotalEpochs, ["trained_parameters"] = start.TrainedParameters, ["configuration"] = Configuration,
        }.ToJsonString(JsonText.Indented));
        var file = new FileStream(Path.Combine(folder, Metrics), start.ResumedAt is null ? FileMode.Create : FileMode.OpenOrCreate,
            FileAccess.Write, FileShare.Read);
        if (start.ResumedAt is not null) file.SetLength(Math.Min(_length, file.Length));
        file.Seek(0, SeekOrigin.End);
        _writer = new StreamWriter(file);
    }

    /// <inheritdoc/>
    public void OnStep(TrainingProgress progress)
    {
        ArgumentNullException.ThrowIfNull(progress);
        Write(progress.Step, TrackedValues.OfStep(progress));
    }

    /// <inheritdoc/>
    public void OnEpoch(TrainingProgress progress)
    {
        ArgumentNullException.ThrowIfNull(progress);
        Write(progress.Step, TrackedValues.OfEpoch(progress).Append(new("epoch", progress.Epoch)));
    }

    /// <inheritdoc/>
    public void OnValidation(TrainingValidation validation)
    {
        ArgumentNullException.ThrowIfNull(validation);
        Write(validation.Step, TrackedValues.OfValidation(validation));
    }

    /// <inheritdoc/>
    public void OnSample(int step, IReadOnlyList<string> files)
    {
        ArgumentNullException.ThrowIfNull(files);
        Directory.CreateDirectory(Path.Combine(folder, Media));
        var fields = Begin(step);
        foreach (var (path, index) in files.SkipLast(1).Select((path, index) => (path, index)))
        {
            var name = Path.Combine(Media, FormattableString.Invariant($"sample_{index}_{step:D8}.png"));
            File.Copy(path, Path.Combine(folder, name), overwrite: true);
            fields[FormattableString.Invariant($"sample_{index}")] = name.Replace('\\', '/');
        }

        Write(fields);
    }

    /// <inheritdoc/>
    public void OnEnd(TrainingEnd end)
    {
        _writer?.Dispose();
        _writer = null;
    }

    private JsonObject Begin(int step) =>
        new() { ["_step"] = step, ["_timestamp"] = _time.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0 };

    private void Write(int step, IEnumerable<KeyValuePair<string, double>> values)
    {
        var fields = Begin(step);
        foreach (var (name, value) in values) fields[name] = value;
        Write(fields);
    }

    private void Write(JsonObject fields)
    {
        _writer?.WriteLine(fields.ToJsonString(JsonText.OneLine));
        _writer?.Flush();
    }

    string IResumable.Name => nameof(WandbSpool);

    void IResumable.Save(StateWriter writer) => writer.Number("length", _writer?.BaseStream.Length ?? 0);

    void IResumable.Load(StateReader reader) => _length = reader.Long("length");
}

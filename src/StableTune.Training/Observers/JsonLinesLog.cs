using System.Text.Json.Nodes;
using StableTune.Training;

namespace StableTune;

/// <summary>
/// Writes one JSON object a line: "start", every "step", every "epoch", "validation", "save", "sample", "end". Each line is handed to the
/// system before the next step begins, so the log of a run that was killed can be read up to its last step.
/// </summary>
/// <param name="path">The file; an older one is replaced when a run starts; a run that is resumed continues it.</param>
/// <param name="time">The clock for the "time" field; the run's when null.</param>
public sealed class JsonLinesLog(string path, TimeProvider? time = null) : ITrainingObserver, IResumable
{
    private TimeProvider _time = TimeProvider.System;
    private StreamWriter? _writer;
    private long _length;

    /// <inheritdoc/>
    public IEnumerable<OptionProblem> Validate()
    {
        if (!AtomicFile.CanWrite(path, out var reason))
            yield return new OptionProblem($"{nameof(JsonLinesLog)}.path", path, reason, "name a file in a folder that can be written to");
    }

    /// <inheritdoc/>
    public void OnStart(TrainingStart start)
    {
        ArgumentNullException.ThrowIfNull(start);
        _time = time ?? start.Plan.Clock;
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        var file = new FileStream(path, start.ResumedAt is null ? FileMode.Create : FileMode.OpenOrCreate, FileAccess.Write,
            FileShare.Read);
        // What was written after the state will be written again.
        if (start.ResumedAt is not null) file.SetLength(Math.Min(_length, file.Length));
        file.Seek(0, SeekOrigin.End);
        _writer = new StreamWriter(file);
        Write(start.ResumedAt is null ? "start" : "resume", new JsonObject
        {
            ["step"] = start.ResumedAt?.Step ?? 0,
            ["total_steps"] = start.TotalSteps,
            ["total_epochs"] = start.TotalEpochs,
            ["trained_parameters"] = start.TrainedParameters,
            ["seed"] = start.Plan.Seed,
            ["warnings"] = Texts(start.Warnings),
        });
    }

    /// <inheritdoc/>
    public void OnStep(TrainingProgress progress)
    {
        var fields = Describe(progress);
        if (progress.Samples.Count > 0)
        {
            fields["timesteps"] = new JsonArray([.. progress.Samples.Select(sample => (JsonNode)sample.Timestep)]);
            fields["sample_losses"] = Numbers(progress.Samples.Select(sample => sample.Loss));
        }

        Write("step", fields);
    }

    /// <inheritdoc/>
    public void OnEpoch(TrainingProgress progress)
    {
        var fields = Describe(progress);
        if (progress.LossByTimestep is { } histogram)
        {
            fields["loss_by_timestep"] = new JsonObject
            {
                ["from"] = new JsonArray([.. histogram.Bins.Select(bin => (JsonNode)bin.From)]),
                ["count"] = new JsonArray([.. histogram.Bins.Select(bin => (JsonNode)bin.Count)]),
                ["mean_loss"] = Numbers(histogram.Bins.Select(bin => bin.MeanLoss)),
            };
        }

        Write("epoch", fields);
    }

    /// <inheritdoc/>
    public void OnSave(SaveMoment moment, IReadOnlyList<string> files) =>
        Write("save", new JsonObject { ["step"] = moment.Step, ["files"] = Texts(files) });

    /// <inheritdoc/>
    public void OnValidation(TrainingValidation validation)
    {
        ArgumentNullException.ThrowIfNull(validation);
        Write("validation", new JsonObject
        {
            ["step"] = validation.Step,
            ["epoch"] = validation.Epoch,
            [validation.LossName] = Number(validation.Loss),
            [validation.DivergenceName] = Number(validation.Divergence),
        });
    }

    /// <inheritdoc/>
    public void OnSample(int step, IReadOnlyList<string> files) =>
        Write("sample", new JsonObject { ["step"] = step, ["files"] = Texts(files) });

    /// <inheritdoc/>
    public void OnEnd(TrainingEnd end)
    {
        ArgumentNullException.ThrowIfNull(end);
        using var closing = _writer;                                     // also when the disk is full
        Write("end", new JsonObject { ["step"] = end.Step, ["fault"] = end.Fault?.Message });
        _writer = null;
    }

    private static JsonObject Describe(TrainingProgress progress)
    {
        var fields = Always(progress);
        foreach (var (name, value) in progress.Metrics) fields[name] = Number(value);
        return fields;
    }

    private static JsonObject Always(TrainingProgress progress) => new()
    {
        ["step"] = progress.Step,
        ["epoch"] = progress.Epoch,
        ["loss"] = Number(progress.Loss),
        ["average_loss"] = Number(progress.AverageLoss),
        ["gradient_norm"] = Number(progress.GradientNorm),
        ["lr"] = new JsonObject(progress.LearningRates.Select(r => KeyValuePair.Create(r.Key, Number(r.Value)))),
        ["elapsed_seconds"] = progress.Elapsed.TotalSeconds,
        ["data_wait_seconds"] = progress.DataWait.TotalSeconds,
        ["steps_per_second"] = progress.StepsPerSecond,
        ["resident_bytes"] = progress.ResidentBytes,
    };

    /// <summary>JSON has no NaN: a number that is not there is null.</summary>
    private static JsonNode? Number(double value) => double.IsFinite(value) ? value : null;

    private static JsonArray Numbers(IEnumerable<double> values) => [.. values.Select(Number)];

    private static JsonArray Texts(IReadOnlyList<string> texts) => [.. texts.Select(text => (JsonNode)text)];

    private void Write(string kind, JsonObject fields)
    {
        if (_writer is null) return;                                     // the run ended before it began
        fields.Insert(0, "event", kind);
        fields.Insert(1, "time", _time.GetUtcNow().ToString("O"));
        _writer.WriteLine(fields.ToJsonString(JsonText.OneLine));
        _writer.Flush();
    }

    string IResumable.Name => nameof(JsonLinesLog);

    void IResumable.Save(StateWriter writer) => writer.Number("length", _writer?.BaseStream.Length ?? 0);

    void IResumable.Load(StateReader reader) => _length = reader.Long("length");
}

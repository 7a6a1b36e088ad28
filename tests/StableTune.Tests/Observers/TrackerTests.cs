using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text.Json;
using StableTune.Testing;

namespace StableTune.Tests;

/// <summary>TensorBoard's files, tables, the spool for Weights and Biases, and .NET's own metrics and traces of a run.</summary>
public sealed class TrackerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private TrainerBuilder Builder() => TinyRun.Builder(_folder).For(TrainingLength.Steps(3)).Overwrite();

    private SampleOptions Samples => new()
    {
        Folder = _folder.File("samples"), After = false, Prompts = [new TextToImageOptions { Width = 64, Height = 64, Steps = 1 }],
    };

    [Fact]
    public void TensorBoard_HoldsLossesRatesAndPictures()
    {
        var result = Builder().WithTensorBoard(_folder.File("tb")).WithSamples(Samples).Train();
        var (version, values) = EventFile.Read(Assert.Single(Directory.GetFiles(_folder.File("tb"))));
        Assert.Equal("brain.Event:2", version);
        var losses = values.Where(value => value.Tag == "loss/current").ToArray();
        Assert.Equal([1, 2, 3], losses.Select(value => value.Step));
        Assert.Equal(result.Losses.Select(loss => (float)loss), losses.Select(value => value.Scalar));
        Assert.All(values.Where(value => value.Tag == "lr/unet"), value => Assert.Equal(1e-3f, value.Scalar));
        Assert.Equal(3, values.Count(value => value.Tag == "norm/gradients"));
        Assert.Equal([1, 2], values.Where(value => value.Tag == "loss/epoch_average").Select(value => value.Step));
        var picture = Assert.Single(values, value => value.Tag == "samples/00").Message(4);
        Assert.Equal([64ul, 64ul, 3ul], picture.Take(3).Select(field => field.Value));
        Assert.Equal(File.ReadAllBytes(result.Samples[0]), (byte[])picture[3].Value);
    }

    [Fact]
    public void TensorBoard_OfAResumedRun_GoesOnInAFurtherFile()
    {
        var state = _folder.File("state");
        TrainerBuilder Run() => TinyRun.Builder(_folder).Overwrite().WithTensorBoard(_folder.File("tb"))
            .WithCsvLog(_folder.File("log.csv"));
        Run().For(TrainingLength.Steps(2)).SaveState(state).Train();
        Run().For(TrainingLength.Steps(4)).ResumeFrom(state + "-state").Train();
        var files = Directory.GetFiles(_folder.File("tb")).Order(StringComparer.Ordinal).ToArray();
        Assert.Equal(2, files.Length);
        Assert.Equal([1L, 2, 3, 4], files.SelectMany(file => EventFile.Read(file).Values).Where(value => value.Tag == "loss/current")
            .Select(value => value.Step).Order());
        Assert.Equal(["step", "1", "2", "3", "4"], File.ReadAllLines(_folder.File("log.csv")).Select(line => line.Split(',')[0]));
    }

    [Fact]
    public void Csv_HasARowForEachStep()
    {
        var result = Builder().WithCsvLog(_folder.File("logs", "log.csv")).Train();
        string[][] rows = [.. File.ReadAllLines(_folder.File("logs", "log.csv")).Select(line => line.Split(','))];
        Assert.Equal(["step", "epoch", "loss/current", "loss/average", "lr/unet"], rows[0].Take(5));
        Assert.Equal(["1", "2", "3"], rows.Skip(1).Select(row => row[0]));
        Assert.Equal(result.Losses, rows.Skip(1).Select(row => double.Parse(row[2], CultureInfo.InvariantCulture)));
        Assert.All(rows, row => Assert.Equal(rows[0].Length, row.Length));
    }

    [Fact]
    public void WandbSpool_HoldsConfigurationNumbersAndMedia()
    {
        var spool = new WandbSpool(_folder.File("wandb")) { Project = "frogs", RunName = "first", Configuration = "rank = 4" };
        var result = Builder().WithObserver(spool).WithSamples(Samples).Train();
        using var config = JsonDocument.Parse(File.ReadAllText(_folder.File("wandb", "config.json")));
        Assert.Equal(("frogs", "first", "rank = 4"), (config.RootElement.GetProperty("project").GetString(),
            config.RootElement.GetProperty("name").GetString(), config.RootElement.GetProperty("configuration").GetString()));
        JsonElement[] lines =
            [.. File.ReadLines(_folder.File("wandb", "metrics.jsonl")).Select(line => JsonDocument.Parse(line).RootElement)];
        var media = Assert.Single(lines, line => line.TryGetProperty("sample_0", out _)).GetProperty("sample_0").GetString()!;
        Assert.Equal(File.ReadAllBytes(result.Samples[0]), File.ReadAllBytes(_folder.File("wandb", media)));
        Assert.Equal(result.Losses, lines.Where(line => line.TryGetProperty("loss/current", out _))
            .Select(line => line.GetProperty("loss/current").GetDouble()));
        Assert.All(lines, line => Assert.True(line.GetProperty("_timestamp").GetDouble() > 0));
    }

    [Fact]
    public void Telemetry_IsHeardByListeners()
    {
        var numbers = new List<(string Name, double Value)>();
        using var meters = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == TrainingTelemetry.Name) listener.EnableMeasurementEvents(instrument);
            },
        };
        meters.SetMeasurementEventCallback<double>((instrument, value, _, _) => numbers.Add((instrument.Name, value)));
        meters.SetMeasurementEventCallback<long>((instrument, value, _, _) => numbers.Add((instrument.Name, value)));
        meters.Start();
        var runs = new List<Activity>();
        using var activities = new ActivityListener
        {
            ShouldListenTo = source => source.Name == TrainingTelemetry.Name,
            Sample = (ref _) => ActivitySamplingResult.AllData, ActivityStopped = runs.Add,
        };
        ActivitySource.AddActivityListener(activities);
        var result = Builder().Train();

        Assert.Equal(result.Losses, numbers.Where(number => number.Name == "stabletune.training.loss").Select(number => number.Value));
        Assert.Equal(3, numbers.Count(number => number.Name == "stabletune.training.steps"));
        Assert.All(numbers.Where(number => number.Name == "stabletune.training.step.duration"), number => Assert.True(number.Value > 0));
        var run = Assert.Single(runs);
        Assert.Equal(("train", ActivityStatusCode.Unset), (run.OperationName, run.Status));
        Assert.Equal(3, run.GetTagItem("stabletune.last_step"));
        Assert.Equal(["epoch", "epoch", "save"], run.Events.Select(told => told.Name).Where(name => name != "warning").Order());
    }

    [Fact]
    public void Folders_ThatCannotBeWritten_AreNamedBeforeTheRun()
    {
        File.WriteAllText(_folder.File("taken"), "");
        var problems = Assert.Throws<InvalidOptionsException>(() => Builder().WithTensorBoard(_folder.File("taken", "tb"))
            .WithObserver(new WandbSpool(_folder.File("taken", "w"))).WithCsvLog(_folder.File("taken", "log.csv")).Build()).Problems;
        Assert.Equal(["TensorBoardLog.folder", "WandbSpool.folder", "CsvLog.path"], problems.Select(problem => problem.Option));
    }
}

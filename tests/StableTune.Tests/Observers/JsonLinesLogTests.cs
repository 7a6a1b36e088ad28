using System.Text.Json;
using StableTune.Testing;
using StableTune.Training;

namespace StableTune.Tests;

/// <summary>The log of JSON lines that a run leaves.</summary>
public sealed class JsonLinesLogTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Log => _folder.File("logs", "run.jsonl");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Train_WithLog_WritesEveryEventAsOneLine()
    {
        var clock = new ManualClock();
        var result = TinyRun.Builder(_folder).For(TrainingLength.Steps(3)).SaveEvery(steps: 2).WithClock(clock).WithLog(Log)
            .WithSamples(new SampleOptions { Folder = _folder.File("samples"), After = false,
                Prompts = [new TextToImageOptions { Width = 64, Height = 64, Steps = 1 }] }).Train();
        var lines = Lines();
        Assert.Equal(["start", "sample", "step", "step", "save", "epoch", "step", "epoch", "save", "end"],
            lines.Select(l => Text(l, "event")));
        Assert.All(lines, l => Assert.Equal(clock.Start, l.GetProperty("time").GetDateTimeOffset()));

        var start = lines[0];
        Assert.Equal((3, 2, 42), (Number(start, "total_steps"), Number(start, "total_epochs"), Number(start, "seed")));
        Assert.Equal(TinyRun.Weights(TinyRun.Output(_folder)).Length - Alphas(), Number(start, "trained_parameters"));
        var steps = lines.Where(l => Text(l, "event") == "step").ToArray();
        Assert.Equal(result.Losses, steps.Select(s => Number(s, "loss")));
        Assert.Equal([1, 2, 3], steps.Select(s => Number(s, "step")));
        Assert.All(steps, s => Assert.Equal(1e-3, s.GetProperty("lr").GetProperty("unet").GetDouble()));
        Assert.All(steps, s => Assert.True(Number(s, "gradient_norm") > 0 && Number(s, "resident_bytes") > 0));
        Assert.Equal([1, 2], lines.Where(l => Text(l, "event") == "epoch").Select(l => Number(l, "epoch")));
        Assert.Equal([TinyRun.Output(_folder)], lines[^2].GetProperty("files").EnumerateArray().Select(f => f.GetString()));
        Assert.Equal(2, lines[1].GetProperty("files").GetArrayLength());
        Assert.Equal(JsonValueKind.Null, lines[^1].GetProperty("fault").ValueKind);
    }

    [Fact]
    public void Train_SkippingABadImage_SaysSoInResultAndLog()
    {
        var images = TinyRun.Images(_folder);
        var bad = Path.Combine(images, "bad.png");
        File.WriteAllBytes(bad, File.ReadAllBytes(Path.Combine(images, "0.png"))[..60]);
        var dataset = new DatasetBuilder().AddFolder(images)
            .WithOptions(new() { Resolution = new(64, 64), OnBadImage = BadImagePolicy.Skip });
        var recorder = new Recorder();
        var result = TinyRun.Bare(_folder).WithDataset(dataset).For(TrainingLength.Steps(1)).WithLog(Log).WithObserver(recorder).Train();
        Assert.Contains(result.Warnings, warning => warning.Contains(bad, StringComparison.Ordinal));
        Assert.Equal(result.Warnings, recorder.Started!.Warnings);
        Assert.Equal(result.Warnings, Lines()[0].GetProperty("warnings").EnumerateArray().Select(warning => warning.GetString()));
    }

    [Fact]
    public void Log_OfARunThatIsStillGoing_CanBeReadToItsLastStep()
    {
        int? seen = null;
        var recorder = new Recorder { Before = what => { if (what == "step 2") seen = Lines().Count(l => Text(l, "event") == "step"); } };
        TinyRun.Builder(_folder).WithLog(Log).WithObserver(recorder).Train();
        Assert.Equal(2, seen);
    }

    [Fact]
    public void Train_Broken_LogsTheFault_AndTheNextRunStartsAnew()
    {
        var broken = new Recorder { Before = what =>
            { if (what == "step 2") throw new InvalidTimeZoneException("says \"no\"\nin two lines"); } };
        Assert.ThrowsAny<Exception>(() => TinyRun.Builder(_folder).WithLog(Log).StopOnObserverFault().WithObserver(broken).Train());
        var end = Lines()[^1];
        Assert.Equal("says \"no\"\nin two lines", Text(end, "fault"));
        Assert.Equal(2, Number(end, "step"));

        TinyRun.Builder(_folder).For(TrainingLength.Steps(1)).WithLog(Log).Train();
        Assert.Equal(["start", "step", "epoch", "save", "end"], Lines().Select(l => Text(l, "event")));
    }

    [Fact]
    public void Numbers_ThatAreNone_AreNull()
    {
        ITrainingObserver log = new JsonLinesLog(Log, new ManualClock());
        log.OnStart(new TrainingStart(new TrainingPlan(), 1, 1, 0));
        log.OnStep(new TrainingProgress
        {
            Phase = TrainingPhase.Training, Step = 1, TotalSteps = 1, Loss = double.NaN, AverageLoss = double.PositiveInfinity,
            DataWait = TimeSpan.FromSeconds(1.5),
            LearningRates = new Dictionary<string, double> { ["a \"group\""] = double.NaN },
        });
        log.OnEnd(new TrainingEnd(1, null));
        var step = Lines()[1];
        Assert.All(["loss", "average_loss", "gradient_norm"], name => Assert.Equal(JsonValueKind.Null, step.GetProperty(name).ValueKind));
        Assert.Equal(JsonValueKind.Null, step.GetProperty("lr").GetProperty("a \"group\"").ValueKind);
        Assert.Equal(1.5, Number(step, "data_wait_seconds"));
    }

    [Fact]
    public void End_WithoutStart_WritesNothing()
    {
        ITrainingObserver log = new JsonLinesLog(Log);
        log.OnEnd(new TrainingEnd(0, null));
        Assert.False(File.Exists(Log));
    }

    private int Alphas()
    {
        using var file = Formats.SafetensorsFile.Open(TinyRun.Output(_folder));
        return file.Tensors.Count(t => t.Name.EndsWith(".alpha", StringComparison.Ordinal));
    }

    /// <summary>Every line; one that is no JSON object fails the test.</summary>
    private JsonElement[] Lines()
    {
        using var reader = new StreamReader(new FileStream(Log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return [.. reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(l => JsonDocument.Parse(l).RootElement.Clone())];
    }

    private static string? Text(JsonElement line, string name) => line.GetProperty(name).GetString();

    private static double Number(JsonElement line, string name) => line.GetProperty(name).GetDouble();
}

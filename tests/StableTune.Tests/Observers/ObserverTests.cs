using Microsoft.Extensions.Logging;
using StableTune.Adapters;
using StableTune.Imaging;
using StableTune.Testing;
using StableTune.Trainables;

namespace StableTune.Tests;

/// <summary>The loss curve, and a host's logger.</summary>
public sealed class ObserverTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void LossCurve_IsDrawn_WhenTheRunEnds_WellOrNot(bool broken)
    {
        var curve = _folder.File("charts", "loss.png");
        using var source = new CancellationTokenSource();
        var builder = TinyRun.Builder(_folder).For(TrainingLength.Steps(4)).WithLossCurve(curve);
        if (broken) Assert.ThrowsAny<OperationCanceledException>(() => builder.Train(Reports.CancelAt(3, source), source.Token));
        else builder.Train();
        var picture = ImageFile.Load(curve);
        Assert.Equal(new PixelSize(960, 840), picture.Size);                        // the loss, and the learning rates below it
    }

    [Fact]
    public void Logger_OddOptions_AreWarnedOf()
    {
        var logger = new ListLogger();
        var builder = TinyRun.Builder(_folder).WithLogger(logger).For(TrainingLength.Steps(1));
        new Trainer(builder.Plan with
        {
            Trainables = [new AdapterTrainableOptions { Adapter = new LoRAOptions { Rank = 100, Alpha = 401 } }],
            Samples = new SampleOptions { Folder = _folder.File("samples"), Prompts = [new() { Width = 64, Height = 64, Steps = 1 }],
                EveryNEpochs = 9, EveryNSteps = 7 },
        }).Train();
        var warnings = logger.Entries.Where(entry => entry.Level == LogLevel.Warning).Select(entry => entry.Text).ToList();
        Assert.Single(warnings, text => text.Contains("SampleOptions.EveryNSteps is 7", StringComparison.Ordinal));
        Assert.Single(warnings, text => text.Contains("LoRAOptions.Alpha is 401", StringComparison.Ordinal));
        Assert.Single(warnings, text => text.Contains("LoRAOptions.Rank is 100", StringComparison.Ordinal));
    }

    [Fact]
    public void Logger_IsToldStartStepsEpochsSavesSamplesAndEnd()
    {
        var logger = new ListLogger();
        TinyRun.Builder(_folder).WithLogger(logger).WithClock(new ManualClock { PerReading = TimeSpan.FromSeconds(1) })
            .WithSamples(new SampleOptions { Folder = _folder.File("samples"), Before = false,
                Prompts = [new TextToImageOptions { Width = 64, Height = 64, Steps = 1 }] }).Train();
        var entries = logger.Entries.Where(e => e.Level != LogLevel.Warning).ToArray();   // warnings depend on the machine's BLAS
        // First what the model is, which its loading tells.
        Assert.Equal([0, 1, 2, 2, 3, 2, 3, 4, 5, 6], entries.Select(e => e.Id));
        Assert.Contains("Stable Diffusion 1.x (from unet/config.json)", entries[0].Text);
        Assert.Contains("for 3 steps in 2 epochs", entries[1].Text);
        Assert.Contains(TinyRun.Output(_folder), entries[^3].Text);
        Assert.EndsWith("so far steps waited 00:00:02 of 00:00:04 for data", entries.First(e => e.Id == 3).Text);
        Assert.Equal("Training ended after 3 steps", entries[^1].Text);
        Assert.All(entries.Where(e => e.Id == 2), e => Assert.Equal(LogLevel.Debug, e.Level));
        Assert.All(entries.Where(e => e.Id != 2), e => Assert.Equal(LogLevel.Information, e.Level));
    }

    [Fact]
    public void Logger_IsToldOfCancellationAsAWarning_AndOfFaultsAsErrors()
    {
        var logger = new ListLogger();
        using var source = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() =>
            TinyRun.Builder(_folder).WithLogger(logger).Train(Reports.CancelAt(1, source), source.Token));
        Assert.Equal((LogLevel.Warning, 7), (logger.Entries[^1].Level, logger.Entries[^1].Id));

        var fault = new InvalidTimeZoneException("a fault");
        Assert.ThrowsAny<Exception>(() => TinyRun.Builder(_folder).WithLogger(logger).StopOnObserverFault()
            .WithObserver(new Recorder { Before = what => { if (what == "step 1") throw fault; } }).Train());
        Assert.Equal((LogLevel.Error, 8, fault), (logger.Entries[^1].Level, logger.Entries[^1].Id, logger.Entries[^1].Fault));
    }

    [Fact]
    public void Logger_IsToldTheDataSetsWarnings()
    {
        var logger = new ListLogger();
        var builder = TinyRun.Builder(_folder).WithLogger(logger).For(TrainingLength.Steps(1));
        File.WriteAllText(Path.Combine(TinyRun.Images(_folder), "0.txt"), "a frog");
        builder.Train();
        Assert.Contains(logger.Entries, e =>
            e is { Level: LogLevel.Warning, Id: 9 } && e.Text.Contains("not read as captions", StringComparison.Ordinal));
    }
}

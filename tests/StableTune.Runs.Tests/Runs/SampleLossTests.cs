using System.Text.Json;
using SkiaSharp;
using StableTune.Diffusion;
using StableTune.Testing;
using StableTune.Training;

namespace StableTune.Tests;

/// <summary>The losses of single samples: what is told of them in each step, and what is kept of them over a run.</summary>
public sealed class SampleLossTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Train_TellsEachSample_AndKeepsTheMeansByTimestep(bool readsLate)
    {
        var before = TinyRun.HeldBefore();
        var reports = new Reports();
        var builder = Builder("run").WithGradientAccumulation(2).WithMinSnr();
        var result = builder.Change(plan => plan with { ReadsLossLate = readsLate }).Train(reports);
        var steps = reports.Steps.DistinctBy(report => report.Step).ToList();
        Assert.Equal(3, steps.Count);
        Assert.All(steps, step =>
        {
            Assert.Equal(2 * TinyRun.BatchesPerEpoch, step.Samples.Count);
            Assert.Equal(step.Loss, step.Samples.Average(sample => sample.Loss), 1e-6);
            Assert.Equal(["0.png", "1.png", "2.png", "3.png"], step.Samples.Select(s => Path.GetFileName(s.Image)).Order());
        });

        var samples = steps.SelectMany(step => step.Samples).ToList();
        var histogram = result.LossByTimestep!;
        Assert.Equal((samples.Count, 0, 1000, 20), (histogram.Count, histogram.Bins[0].From, histogram.Bins[^1].To, histogram.Bins.Count));
        Assert.All(histogram.Bins, bin =>
        {
            var inside = samples.Where(sample => sample.Timestep >= bin.From && sample.Timestep < bin.To).ToList();
            Assert.Equal(inside.Count, bin.Count);
            Assert.Equal(inside.Count == 0 ? double.NaN : inside.Sum(sample => sample.Loss) / inside.Count, bin.MeanLoss);
        });
        Assert.Equal(before, TinyRun.HeldTensors);
    }

    [Fact]
    public void Resume_KeepsWhatWasGathered_BitForBit()
    {
        TrainerBuilder Run(string name) => Builder(name).For(TrainingLength.Steps(5)).WithNoiseOffset(0.1, 0.05, true)
            .WithInputPerturbation(0.1, true).WithMultiResolutionNoise().WithTimesteps(new LogitNormalTimesteps());
        var whole = Run("whole").SaveState(_folder.File("states", "frog")).SaveEvery(steps: 2).Train();
        var resumed = Run("resumed").ResumeFrom(_folder.File("states", "frog-step00000002-state")).Train();
        Assert.Equal(10, resumed.LossByTimestep!.Count);
        Assert.Equal(whole.LossByTimestep!.Bins, resumed.LossByTimestep.Bins);
        Assert.Equal(whole.Losses, resumed.Losses);
        Assert.Equal(TinyRun.Weights(whole.Files[0]), TinyRun.Weights(resumed.Files[0]));
    }

    [Fact]
    public void MinibatchRepeat_GivesEachCopyItsOwnNoiseAndTimestep()
    {
        var reports = new Reports();
        Builder("repeat").WithDataOptions(data => data with { MinibatchRepeat = 2 }).For(TrainingLength.Steps(2)).Train(reports);
        Assert.All(reports.Steps, step =>
        {
            Assert.Equal(2, step.Samples.Count);
            Assert.Equal(step.Samples[0].Image, step.Samples[1].Image);
            Assert.NotEqual(step.Samples[0].Timestep, step.Samples[1].Timestep);
            Assert.NotEqual(step.Samples[0].Loss, step.Samples[1].Loss);
        });
    }

    [Fact]
    public void LogAndPicture_HaveThem()
    {
        var (log, picture) = (_folder.File("log.jsonl"), _folder.File("timesteps.png"));
        var reports = new Reports();
        var result = Builder("told").WithLog(log).WithTimestepLossCurve(picture).Train(reports);
        var lines = File.ReadLines(log).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        JsonElement[] Of(string what) => [.. lines.Where(line => line.GetProperty("event").GetString() == what)];
        foreach (var (line, report) in Of("step").Zip(reports.Steps))
        {
            Assert.Equal(report.Samples.Select(s => s.Timestep), line.GetProperty("timesteps").EnumerateArray().Select(t => t.GetInt32()));
            Assert.Equal(report.Samples.Select(s => s.Loss), line.GetProperty("sample_losses").EnumerateArray().Select(t => t.GetDouble()));
        }

        var last = Of("epoch")[^1].GetProperty("loss_by_timestep");
        Assert.Equal(result.LossByTimestep!.Bins.Select(bin => bin.Count),
            last.GetProperty("count").EnumerateArray().Select(c => c.GetInt64()));
        Assert.Equal(result.LossByTimestep.Bins.Select(bin => double.IsNaN(bin.MeanLoss) ? (double?)null : bin.MeanLoss),
            last.GetProperty("mean_loss").EnumerateArray().Select(m => m.ValueKind == JsonValueKind.Null ? (double?)null : m.GetDouble()));
        using var drawn = SKBitmap.Decode(picture);
        Assert.Equal((960, 540), (drawn.Width, drawn.Height));
        var fault = Assert.Throws<InvalidOptionsException>(() => Builder("bad").WithTimestepLossCurve(_folder.Path).Build());
        Assert.Contains("TimestepLossCurve.path", fault.Message, StringComparison.Ordinal);
    }

    private TrainerBuilder Builder(string name) => TinyRun.Builder(_folder, name).WithCachedLatents(false);
}

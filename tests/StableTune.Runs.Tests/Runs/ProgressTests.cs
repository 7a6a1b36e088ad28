using StableTune.Data;
using StableTune.Imaging;
using StableTune.Schedules;
using StableTune.Testing;

namespace StableTune.Tests;

/// <summary>What a host is told while a run goes on.</summary>
public sealed class ProgressTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Train_Reports_TheStagesInOrder_WithStepsThatGrow()
    {
        var reports = new Reports();
        Tiny().For(TrainingLength.Steps(4)).Train(reports);
        var stages = reports.All.Select(r => r.Stage())
            .Aggregate(new List<string>(), (list, stage) => list is [.., var last] && last == stage ? list : [.. list, stage]);
        Assert.Equal("training", stages[^2]);
        Assert.Equal("saving", stages[^1]);
        Assert.Contains(stages, s => s.StartsWith("loading", StringComparison.Ordinal));
        Assert.Contains(stages, s => s.StartsWith("caching latents", StringComparison.Ordinal));
        Assert.Equal(stages.Distinct(), stages);

        Assert.Equal([1, 2, 3, 4], reports.Steps.Select(r => r.Step));
        Assert.Equal([1, 1, 2, 2], reports.Steps.Select(r => r.Epoch));
        Assert.All(reports.Steps, r => Assert.Equal((4, 2), (r.TotalSteps, r.TotalEpochs)));
        foreach (var stage in reports.All.GroupBy(r => r.Stage()).Select(g => g.ToArray()))
            Assert.All(stage.Zip(stage.Skip(1)), pair => Assert.True(pair.First.Step <= pair.Second.Step));
        Assert.All(reports.Steps, r => Assert.True(r.ResidentBytes > 1 << 20));
        Assert.All(reports.Steps, r => Assert.True(double.IsFinite(r.GradientNorm) && r.GradientNorm > 0));
    }

    [Fact]
    public void Train_Warmup_ReportsRatesOfEveryGroupFromZero()
    {
        var reports = new Reports();
        SmallRun.Builder(_folder, _folder.File("both.safetensors")).WithBatchSize(1).WithLearningRate(1e-3, textEncoder: 5e-4)
            .WithWarmup(Warmup.Steps(2)).Train(reports);
        Assert.Equal([0, 5e-4, 1e-3], reports.Steps.Select(r => r.LearningRates["unet"]));
        Assert.Equal([0, 2.5e-4, 5e-4], reports.Steps.Select(r => r.LearningRates["textencoder"]));
        Assert.All(reports.Steps, r => Assert.Equal(2, r.LearningRates.Count));
    }

    [Fact]
    public void Train_WarmupOfOneStep_LeavesTheWeightsAsTheyWereInTheFirst()
    {
        Tiny().For(TrainingLength.Steps(1)).WithWarmup(Warmup.Steps(1)).Train();
        using var file = Formats.SafetensorsFile.Open(TinyRun.Output(_folder));
        foreach (var up in file.Tensors.Where(t => t.Name.EndsWith("lora_up.weight", StringComparison.Ordinal)))
            Assert.All(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(file.Span(up.Name)).ToArray(), w =>
                Assert.Equal(0, w));
    }

    [Fact]
    public void Train_AverageLoss_IsTheMeanOfTheLastEpochsWorthOfBatches()
    {
        var reports = new Reports();
        var result = Tiny().For(TrainingLength.Steps(5)).Train(reports);
        var (steps, loss) = (reports.Steps, result.Losses);
        Assert.Equal(loss, steps.Select(r => r.Loss));
        Assert.Equal(loss[0], steps[0].AverageLoss, 1e-9);
        for (var i = 1; i < 5; i++) Assert.Equal((loss[i - 1] + loss[i]) / 2, steps[i].AverageLoss, 1e-9);
        Assert.Equal(result.AverageLoss, steps[^1].AverageLoss);
    }

    [Fact]
    public void Train_Accumulation_ReportsTheMeanOfAStepsBatches()
    {
        var reports = new Reports();
        var result = Tiny().WithGradientAccumulation(2).For(TrainingLength.Steps(2)).Train(reports);
        Assert.Equal([1, 2], reports.Steps.Select(r => r.Epoch));
        Assert.All(reports.Steps, r => Assert.Equal(r.Loss, r.AverageLoss, 1e-9));
        Assert.Equal(2, result.Epochs);
    }

    [Fact]
    public void Train_Times_ComeFromTheGivenClock()
    {
        var reports = new Reports();
        // The clock is read when a step begins, when its data is there, and when it ends: each step takes two seconds, of which it waits
        // one.
        var result = Tiny().For(TrainingLength.Steps(4)).WithClock(new ManualClock { PerReading = TimeSpan.FromSeconds(1) }).Train(reports);
        Assert.Equal([2, 4, 6, 8], reports.Steps.Select(r => r.Elapsed.TotalSeconds));
        Assert.Equal([6, 4, 2, 0], reports.Steps.Select(r => r.Remaining!.Value.TotalSeconds));
        Assert.All(reports.Steps, r => Assert.Equal(0.5, r.StepsPerSecond));
        Assert.Equal(TimeSpan.FromSeconds(8), result.TrainingTime);
        Assert.Equal([1, 2, 3, 4], reports.Steps.Select(r => r.DataWait.TotalSeconds));
        Assert.Equal(TimeSpan.FromSeconds(4), result.DataWait);
    }

    [Fact]
    public void Train_TimeThatImagesTake_IsTimeThatStepsWait()
    {
        // Only reading the image moves the clock, and an epoch of one batch leaves nothing to work ahead on: all time is waiting.
        var clock = new ManualClock();
        var (reports, plan) = (new Reports(), Tiny().Plan);
        new Trainer(plan with
        {
            Dataset = new DatasetBuilder().AddImages([new DatasetItem(new SlowPicture(clock), "a frog")]).WithResolution(64).Plan,
            Cache = new() { Latents = false }, Clock = clock,
        }).Train(reports);
        Assert.Equal([3, 6, 9], reports.Steps.Select(r => r.DataWait.TotalSeconds));
        Assert.Equal(reports.Steps.Select(r => r.Elapsed), reports.Steps.Select(r => r.DataWait));
    }

    private TrainerBuilder Tiny() => TinyRun.Builder(_folder);

    /// <summary>A picture that takes three seconds to read.</summary>
    private sealed class SlowPicture(ManualClock clock) : IImageSource
    {
        public string Name => "slow";

        public PixelSize ReadSize(ImageLoadOptions options) => new(64, 64);

        public PixelImage Load(ImageLoadOptions options)
        {
            clock.Advance(TimeSpan.FromSeconds(3));
            return new Canvas(64, 64, PixelColor.FromRgb(0x302010)).Image;
        }
    }
}

using System.Text.Json;
using StableTune.Schedules;
using StableTune.Testing;
using StableTune.Training;

namespace StableTune.Tests;

/// <summary>The loss on held-out images, and what it must not change.</summary>
public sealed class ValidationTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Train_WithValidation_LearnsTheSameBitForBit(bool cached)
    {
        var before = TinyRun.HeldBefore();
        var (often, never) = (new Measured(), new Measured());
        var measured = Run("measured", cached, new() { EveryNSteps = 1, EveryNEpochs = 1 }).WithObserver(often).Train();
        var plain = Run("plain", cached, new() { EveryNEpochs = 1000 }).WithObserver(never).Train();
        Assert.Empty(never.All);
        Assert.Equal(plain.Losses, measured.Losses);
        Assert.Equal(TinyRun.Weights(plain.Files[0]), TinyRun.Weights(measured.Files[0]));
        Assert.Equal(["step 1", "step 2", "epoch 2", "step 3", "step 4", "epoch 4"],
            often.All.Select(v => $"{(v.AfterEpoch ? "epoch" : "step")} {v.Step}"));
        Assert.Equal(before, TinyRun.HeldTensors);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void SecondRun_WithCachesOnDisk_MeasuresTheSame_AndNeverEncodes(bool own)
    {
        var before = TinyRun.HeldBefore();
        var cache = new CacheOptions { LatentsToDisk = true, TextEncoderOutputsToDisk = true,
            Directory = own ? _folder.File("cache") : null };
        var (memory, first, second) = (new Measured(), new Measured(), new Measured());
        Run("memory", cached: true, new()).WithObserver(memory).Train();
        Run("first", cached: true, new()).WithCache(_ => cache).WithObserver(first).Train();
        var reports = new Reports();
        Run("second", cached: true, new()).WithCache(_ => cache).WithObserver(second).Train(reports);
        Assert.Equal(2, first.All.Count);
        // In a folder of their own files are named by content, so that the held-out copy of a picture shares the sample that was drawn
        // for training.
        if (!own) Assert.Equal(memory.All, first.All);
        Assert.Equal(first.All, second.All);
        Assert.DoesNotContain(reports.All, report => report.Work?.Stage is "caching latents" or "caching text encoder outputs");
        Assert.Equal(before, TinyRun.HeldTensors);
    }

    [Fact]
    public void Train_WithARateOfZero_MeasuresTheSameEachTime()
    {
        var observer = new Measured();
        Run("still", cached: true, new() { EveryNSteps = 1 }).WithSchedule(new Still()).WithObserver(observer).Train();
        Assert.Equal(4, observer.All.Count);
        Assert.True(observer.All[0].Loss > 0);
        Assert.All(observer.All, v => Assert.Equal(observer.All[0].Loss, v.Loss));
    }

    [Fact]
    public void Train_Learning_ChangesTheMeasuredLoss_AndDivergenceIsItsDistanceFromTheTrainingLoss()
    {
        var observer = new Measured();
        Run("learning", cached: true, new() { MaxSteps = 1 }).WithObserver(observer).WithLog(_folder.File("log.jsonl")).Train();
        Assert.Equal([2, 4], observer.All.Select(v => v.Step));
        Assert.NotEqual(observer.All[0].Loss, observer.All[1].Loss);
        Assert.All(observer.All, v => Assert.Equal(v.Loss - v.TrainingLoss, v.Divergence));
        var logged = File.ReadLines(_folder.File("log.jsonl")).Select(line => JsonDocument.Parse(line).RootElement)
            .Where(e => e.GetProperty("event").GetString() == "validation").ToList();
        Assert.Equal(observer.All.Select(v => v.Loss), logged.Select(e => e.GetProperty("loss/validation/epoch_average").GetDouble()));
        Assert.Equal(observer.All.Select(v => v.Divergence),
            logged.Select(e => e.GetProperty("loss/validation/epoch_divergence").GetDouble()));
        var metadata = TinyRun.Metadata(TinyRun.Output(_folder, "learning"));
        Assert.Equal(("1", "0.2", "1"),
            (metadata["ss_num_validation_images"], metadata["ss_validation_split"], metadata["ss_max_validation_steps"]));
    }

    [Fact]
    public void Build_WithNothingHeldOut_OrNumbersThatCannotWork_NamesTheOption()
    {
        var none = Assert.Throws<InvalidOptionsException>(() => TinyRun.Builder(_folder).WithValidation(new()).Build());
        Assert.Contains("TrainingPlan.Validation", none.Message);
        Assert.Contains("ValidationSplit", none.Message);
        var wrong = Assert.Throws<InvalidOptionsException>(() =>
            Run("w", true, new() { EveryNSteps = 0, EveryNEpochs = 0, MaxSteps = 0 }).Build());
        foreach (var option in new[] { "EveryNSteps", "EveryNEpochs", "MaxSteps" })
            Assert.Contains("ValidationOptions." + option, wrong.Message);
    }

    private TrainerBuilder Run(string name, bool cached, ValidationOptions options)
    {
        var images = TinyRun.Images(_folder);
        File.Copy(Path.Combine(images, "0.png"), Path.Combine(images, "held.png"), overwrite: true);
        var dataset = new DatasetBuilder().AddFolder(images)
            .WithOptions(new() { Resolution = new(64, 64), BatchSize = 2, ValidationSplit = 0.2 });
        return TinyRun.Bare(_folder, name).WithDataset(dataset).WithCachedLatents(cached).For(TrainingLength.Steps(4))
            .WithValidation(options);
    }

    private sealed class Measured : ITrainingObserver
    {
        public List<TrainingValidation> All { get; } = [];

        public void OnValidation(TrainingValidation validation) => All.Add(validation);
    }

    private sealed record Still : LrScheduleOptions
    {
        public override string Name => "still";

        public override ILrSchedule Create(int totalSteps) => new Zero();

        private sealed class Zero : ILrSchedule
        {
            public double Factor(int step) => 0;
        }
    }
}

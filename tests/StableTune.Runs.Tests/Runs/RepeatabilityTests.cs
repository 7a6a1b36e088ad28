using System.Collections.Concurrent;
using StableTune.Adapters;
using StableTune.Imaging;
using StableTune.Testing;
using StableTune.Training;

namespace StableTune.Tests;

/// <summary>One plan gives one result, whatever the threads around it do.</summary>
public sealed class RepeatabilityTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Train_HoweverLongTheLoaderTakes_LearnsTheSame()
    {
        var quick = Uncached("quick", _ => 0).Train();
        var slow = await Uncached("slow", call => call % 3 * 10).TrainAsync();
        Assert.Equal(quick.Losses, slow.Losses);
        Assert.Equal(TinyRun.Weights(quick.Files[0]), TinyRun.Weights(slow.Files[0]));
    }

    [Theory]
    [InlineData(0, null)]
    [InlineData(3, 1)]
    [InlineData(3, 8)]
    public void Train_HoweverManyWorkers_LearnsTheSame_OnItsOwnThreadWithoutAny(int workers, int? ahead)
    {
        var threads = new ConcurrentDictionary<int, bool>();
        var usual = Uncached("usual", _ => 0).For(TrainingLength.Epochs(1)).Train();
        int Note(int call)
        {
            threads[Environment.CurrentManagedThreadId] = true;
            return 0;
        }

        // Before the run starts images are read too, to see whether they can be.
        var other = Uncached("other", Note).For(TrainingLength.Epochs(1)).WithWorkers(workers, ahead)
            .WithObserver(new Started(threads.Clear)).Train();
        Assert.Equal(usual.Losses, other.Losses);
        Assert.Equal(TinyRun.Weights(usual.Files[0]), TinyRun.Weights(other.Files[0]));
        Assert.NotEmpty(threads);
        Assert.Equal(workers == 0, threads.ContainsKey(Environment.CurrentManagedThreadId));
        Assert.InRange(threads.Count, 1, Math.Max(1, workers));
    }

    [Fact]
    public void Train_TheSameTrainerTwice_GivesTheSame()
    {
        var (trainer, before) = (TinyRun.Builder(_folder).WithLog(_folder.File("run.jsonl")).Build(), TinyRun.HeldTensors);
        var first = TinyRun.Weights(trainer.Train().Files[0]);
        Assert.Equal(first, TinyRun.Weights(trainer.Train().Files[0]));
        Assert.Equal(before, TinyRun.HeldTensors);
    }

    [Fact]
    public void Train_WhereTheHostHasSwitchedGradientsOff_TrainsAllTheSame_AndLeavesThemOff()
    {
        var plain = TinyRun.Builder(_folder, "plain").Train();
        using var frozen = no_grad();
        var result = TinyRun.Builder(_folder).Train();
        Assert.Equal(plain.Losses, result.Losses);
        Assert.False(is_grad_enabled());
    }

    [Fact]
    public async Task TrainAsync_TwoRunsAtOnce_DoNotDisturbEachOther()
    {
        var (alone, before) = (TinyRun.Builder(_folder, "alone").WithParts(AdapterParts.All).Train(), TinyRun.HeldTensors);
        var runs = new[] { "a", "b" }.Select(name =>
            TinyRun.Builder(_folder, name).WithParts(AdapterParts.All).WithGradientCheckpointing(name == "b").TrainAsync()).ToArray();
        var results = await Task.WhenAll(runs);
        Assert.Equal(alone.Losses, results[0].Losses);
        Assert.Equal(TinyRun.Weights(alone.Files[0]), TinyRun.Weights(results[0].Files[0]));
        for (var i = 0; i < 3; i++) Assert.Equal(alone.Losses[i], results[1].Losses[i], 1e-5);
        Assert.Equal(before, TinyRun.HeldTensors);
    }

    private TrainerBuilder Uncached(string name, Func<int, int> milliseconds)
    {
        var options = TinyRun.Builder(_folder).Plan.Dataset.Options with { Codec = new SlowCodec(milliseconds) };
        return TinyRun.Bare(_folder, name).WithCachedLatents(false).For(TrainingLength.Steps(4))
            .WithDataset(new DatasetBuilder().AddFolder(TinyRun.Images(_folder)).WithOptions(options));
    }

    private sealed class Started(Action then) : ITrainingObserver
    {
        public void OnStart(TrainingStart start) => then();
    }

    private sealed class SlowCodec(Func<int, int> milliseconds) : IImageCodec
    {
        private readonly SkiaCodec _codec = SkiaCodec.Instance;
        private int _calls;

        public IReadOnlyCollection<ImageFormat> Formats => _codec.Formats;

        public PixelImage Decode(ReadOnlySpan<byte> file, ImageHeader header, bool keepAlpha)
        {
            Thread.Sleep(milliseconds(Interlocked.Increment(ref _calls)));
            return _codec.Decode(file, header, keepAlpha);
        }

        public byte[] Encode(PixelImage image, ImageFormat format, int quality) => _codec.Encode(image, format, quality);
    }
}

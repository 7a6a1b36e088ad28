using StableTune.Imaging;
using StableTune.Tensors;
using StableTune.Testing;

namespace StableTune.Data.Tests;

public sealed class CacheTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly long _liveBefore = Held;
    private readonly TrainingDataset _dataset;

    public CacheTests()
    {
        for (var i = 0; i < 5; i++)
        {
            Pictures.Write(_folder.File($"{i}.png"), i == 4 ? 24 : 32, i == 4 ? 32 : 24, seed: 11 * i);
            File.WriteAllText(_folder.File($"{i}.caption"), i < 3 ? "a frog" : $"frog {i}");
        }

        _dataset = Builder().Build();
    }

    public void Dispose()
    {
        _folder.Dispose();
        Assert.Equal(_liveBefore, Held);
    }

    [Fact]
    public void Latents_AreOneScaledSampleOfEachImagesDistribution()
    {
        using var cache = LatentCache.Build(_dataset, new Vae { LogVariance = 0.5f }, new NamedSeeds(3));
        using var scope = NewDisposeScope();
        var latents = cache.Collate([2, 0]);
        Assert.Equal([2, 4, 3, 4], latents.shape);
        foreach (var (place, index) in new[] { (0, 2), (1, 0) })
        {
            var pixels = PreparedImages.Load([_dataset.Samples[index]], [ImageDraw.Plain(_dataset.Samples[index])], default).Pixels!;
            using var random = new Generator((ulong)new NamedSeeds(3).For("vae", index));
            var noise = randn([4, 3, 4], dtype: ScalarType.Float32, generator: random);
            var expected = (Vae.Mean(pixels)[0] + (noise * MathF.Exp(0.25f))) * 0.18215;
            Assert.Equal(0, (latents[place] - expected).abs().max().ToSingle(), 1e-6f);
        }
    }

    [Theory]
    [InlineData(2, 0, 3)]
    [InlineData(8, 2, 2)]
    public void Latents_DependOnTheSeed_NotOnTheBatchSizeOrWorkers(int vaeBatchSize, int workers, int calls)
    {
        var (one, many) = (new Vae(), new Vae());
        using var single = LatentCache.Build(_dataset, one, new NamedSeeds(3), new() { VaeBatchSize = 1, Workers = 1 });
        using var several = LatentCache.Build(_dataset, many, new NamedSeeds(3), new() { VaeBatchSize = vaeBatchSize, Workers = workers });
        using var other = LatentCache.Build(_dataset, new Vae(), new NamedSeeds(4));
        Assert.Equal((5, calls), (one.Calls, many.Calls));                    // four images of one size and one of another
        Assert.Equal(5 * 4 * 3 * 4 * sizeof(float), single.Bytes);
        foreach (var index in Enumerable.Range(0, 5))
        {
            Assert.Equal(Values(single, index), Values(several, index));
            Assert.NotEqual(Values(single, index), Values(other, index));
        }
    }

    [Fact]
    public void Latents_ThatAreNotFinite_NameTheImage_AndLeaveNothingBehind()
    {
        var error = Assert.Throws<InvalidFileException>(() => LatentCache.Build(_dataset, new Vae { NanAtCall = 4 }, new NamedSeeds(3)));
        Assert.Equal(_dataset.Samples[3].Path, error.Path);
        Assert.Contains("float32", error.Remedy);
    }

    [Fact]
    public void Images_ThatCannotBeRead_AreListedTogether()
    {
        foreach (var name in new[] { "1.png", "4.png" })
            File.WriteAllBytes(_folder.File(name), File.ReadAllBytes(_folder.File(name))[..60]);
        var vae = new Vae();
        var error = Assert.Throws<InvalidOptionsException>(() => LatentCache.Build(Builder().Build(), vae, new NamedSeeds(3),
            new() { VaeBatchSize = 2 }));
        Assert.Equal([_folder.File("1.png"), _folder.File("4.png")], error.Problems.Select(problem => problem.Value));
        Assert.Equal(0, vae.Calls);
    }

    [Fact]
    public void Build_ReportsProgress_AndCanBeCancelled()
    {
        var reports = new List<(string, int, int)>();
        using (LatentCache.Build(_dataset, new Vae(), new NamedSeeds(3),
            progress: new Progress(r => reports.Add((r.Stage, r.Done, r.Total))))) { }
        Assert.Equal([1, 2, 3, 4, 5], reports.Select(report => report.Item2));
        Assert.All(reports, report => Assert.Equal(("caching latents", 5), (report.Item1, report.Item3)));

        using var cancel = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => LatentCache.Build(_dataset, new Vae(), new NamedSeeds(3),
            progress: new Progress(_ => cancel.Cancel()), cancellationToken: cancel.Token));
        Assert.Throws<InvalidOptionsException>(() => LatentCache.Build(_dataset, new Vae(), new NamedSeeds(3), new() { VaeBatchSize = 0 }));
    }

    [Fact]
    public void Fill_AfterItWasEnded_GoesOn()
    {
        using var cancel = new CancellationTokenSource();
        var vae = new Vae();
        using var cache = LatentCache.Open(_dataset, new(0.18215));
        Assert.Throws<OperationCanceledException>(() =>
            cache.Fill(vae, new NamedSeeds(3),
            new Progress(report => { if (report is { Stage: "caching latents", Done: 2 }) cancel.Cancel(); }), cancel.Token));
        Assert.Equal((2, 3), (vae.Calls, cache.Missing.Count));
        cache.Fill(vae, new NamedSeeds(3));
        Assert.Equal((5, 0), (vae.Calls, cache.Missing.Count));
        using var fresh = LatentCache.Build(_dataset, new Vae(), new NamedSeeds(3));
        foreach (var index in Enumerable.Range(0, 5)) Assert.Equal(Values(fresh, index), Values(cache, index));

        using var again = new CancellationTokenSource();
        var clip = new Clip();
        using var text = TextOutputCache.Open(_dataset, new TextIdentity(), new() { TextEncoderBatchSize = 1 });
        Assert.Throws<OperationCanceledException>(() => text.Fill(clip, new Progress(_ => again.Cancel()), again.Token));
        Assert.Equal(["frog 3", "frog 4"], text.Missing);
        text.Fill(clip);
        Assert.Equal(["a frog", "frog 3", "frog 4"], clip.Seen);
        Assert.Empty(text.Missing);
    }

    [Fact]
    public void Caches_ThatWereFreed_SaySo()
    {
        var (latents, text) = (LatentCache.Build(_dataset, new Vae(), new NamedSeeds(3)), TextOutputCache.Build(_dataset, new Clip()));
        Assert.True(Held > _liveBefore);
        latents.Dispose();
        text.Dispose();
        Assert.Equal(_liveBefore, Held);
        Assert.Throws<ObjectDisposedException>(() => latents.Collate([0]));
        Assert.Throws<KeyNotFoundException>(() => text.Collate(["a frog"]));
    }

    [Fact]
    public void Loader_WithCaches_CarriesThem()
    {
        using var latents = LatentCache.Build(_dataset, new Vae(), new NamedSeeds(3));
        using var text = TextOutputCache.Build(_dataset, new Clip());
        foreach (var file in Directory.GetFiles(_folder.Path, "*.png")) File.Delete(file);           // not needed any more
        using var loader = new BatchLoader(new(), latents, text);
        var live = Held;
        var images = 0;
        foreach (var batch in loader.Load(EpochPlan.Create(_dataset, new NamedSeeds(3), 1)))
        {
            using (batch)
            {
                Assert.Null(batch.Pixels);
                for (var b = 0; b < batch.Count; b++, images++)
                {
                    using var scope = NewDisposeScope();
                    Assert.Equal(Values(latents, batch.Items[b].Index), batch.Latents![b].contiguous().data<float>().ToArray());
                    Assert.Equal(Clip.Expected(batch.Captions[b]), batch.Text!.Context[b].contiguous().data<float>().ToArray());
                    Assert.Equal(batch.Captions[b].Length, batch.Text!.Pooled![b][0].ToSingle());
                }
            }

            Assert.Equal(live, Held);
        }

        Assert.Equal(5, images);
    }

    [Fact]
    public void Text_EncodesEachCaptionOnce()
    {
        var clip = new Clip();
        using var cache = TextOutputCache.Build(_dataset, clip, new() { TextEncoderBatchSize = 2 });
        Assert.Equal(["a frog", "frog 3", "frog 4"], clip.Seen);
        Assert.Equal(3, cache.Count);
        using var scope = NewDisposeScope();
        var features = cache.Collate(["frog 4", "a frog", "frog 4"]);
        Assert.Equal([3, 2, 3], features.Context.shape);
        Assert.Equal([3, 1], features.Pooled!.shape);
        Assert.Throws<KeyNotFoundException>(() => cache.Collate(["another"]));
    }

    [Fact]
    public void Text_WithCaptionsThatVary_NamesTheOptions()
    {
        var dataset = Builder(new() { Shuffle = true, DropoutRate = 0.1, Prefix = "p" }).Build();
        var error = Assert.Throws<InvalidOptionsException>(() => TextOutputCache.Build(dataset, new Clip()));
        Assert.Equal([("CaptionOptions.DropoutRate", (object?)0.1), ("CaptionOptions.Shuffle", true)],
            error.Problems.Select(problem => (problem.Option, problem.Value)));
        Assert.Empty(TextOutputCache.Validate(_dataset));
    }

    private DatasetBuilder Builder(CaptionOptions? captions = null) => new DatasetBuilder()
        .AddFolder(_folder.Path, new SubsetOptions { Captions = captions ?? new() }).WithResolution(32, 24).WithBatchSize(2)
            .WithBucketing(new AsItIs());

    /// <summary>Tensors alive, and those that only a finalizer freed: other tests' may go at any time.</summary>
    private static long Held => TensorCount.Live;

    private static float[] Values(LatentCache cache, int index)
    {
        using var latents = cache.Collate([index]);
        return latents.data<float>().ToArray();
    }

    /// <summary>Every image keeps its size.</summary>
    private sealed class AsItIs : IBucketing
    {
        public bool HasBuckets => true;

        public IEnumerable<OptionProblem> Validate(PixelSize resolution) => [];

        public Framing Frame(PixelSize image, PixelSize resolution) => new(image, 0, 0, image);
    }

    private sealed class Progress(Action<WorkProgress> report) : IProgress<WorkProgress>
    {
        public void Report(WorkProgress value) => report(value);
    }

    /// <summary>Means over squares of eight pixels; the fourth channel repeats the first.</summary>
    private sealed class Vae : ILatentEncoder
    {
        internal int Calls { get; private set; }

        internal int NanAtCall { get; init; } = -1;

        internal float LogVariance { get; init; }

        public double ScalingFactor => 0.18215;

        public LatentDistribution Encode(Tensor pixels)
        {
            var mean = Mean(pixels);
            if (++Calls == NanAtCall) mean.fill_(float.NaN);
            return new(mean, full_like(mean, LogVariance));
        }

        internal static Tensor Mean(Tensor pixels)
        {
            var means = pixels.reshape(pixels.size(0), 3, pixels.size(2) / 8, 8, pixels.size(3) / 8, 8).mean([3, 5]);
            return cat([means, means.narrow(1, 0, 1)], 1);
        }
    }

    /// <summary>Features that tell captions apart: [2, 3] values from the caption's characters, and its length.</summary>
    private sealed class Clip : ITextEncoder
    {
        internal List<string> Seen { get; } = [];

        public TextConditions Encode(IReadOnlyList<string> captions)
        {
            Seen.AddRange(captions);
            return new(tensor(captions.SelectMany(Expected).ToArray()).reshape(captions.Count, 2, 3),
                tensor(captions.Select(caption => (float)caption.Length).ToArray()).reshape(captions.Count, 1));
        }

        internal static float[] Expected(string caption) => [.. caption[..6].Select(character => (float)character)];
    }
}

using StableTune.Imaging;
using StableTune.Testing;

namespace StableTune.Data.Tests;

public sealed class BatchLoaderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly long _liveBefore = TensorCount.Live;

    public BatchLoaderTests()
    {
        for (var i = 0; i < 7; i++)
        {
            Pictures.Write(_folder.File($"{i}.png"), 32, 24, seed: 11 * i);
            File.WriteAllText(_folder.File($"{i}.caption"), $"tag{i}, a, b, c, d");
        }
    }

    /// <summary>Every test must leave the number of live tensors where it found it.</summary>
    public void Dispose()
    {
        _folder.Dispose();
        Assert.Equal(_liveBefore, TensorCount.Live);
    }

    [Fact]
    public void Load_GivesPixelsBetweenMinusOneAndOne()
    {
        using var loader = new BatchLoader();
        var seen = 0;
        foreach (var batch in loader.Load(Plan(Dataset(32, 24, batchSize: 3))))
            using (batch)
            {
                Assert.Equal([batch.Count, 3, 24, 32], batch.Pixels!.shape);
                Assert.Null(batch.Latents);
                Assert.Null(batch.Text?.Context);
                var pixels = batch.Pixels.data<float>().ToArray();
                for (var b = 0; b < batch.Count; b++, seen++)
                {
                    var number = int.Parse(Path.GetFileNameWithoutExtension(batch.Items[b].Path));
                    Assert.Equal($"tag{number}, a, b, c, d", batch.Captions[b]);
                    for (var x = 0; x < 32; x++)                              // row 5 of the red channel
                        Assert.Equal((Pictures.Red(x, 11 * number) / 127.5f) - 1, pixels[(b * 3 * 24 * 32) + (5 * 32) + x], 1e-6f);
                }
            }

        Assert.Equal(7, seen);
    }

    [Fact]
    public void Load_ResizesAndCutsTheMiddle()
    {
        using var loader = new BatchLoader(new() { Workers = 0 });
        using var batch = loader.Load(Plan(Dataset(16, 24, batchSize: 1))).First();
        // 32 x 24 already covers 16 x 24: columns 8 to 23 are cut out.
        var number = int.Parse(Path.GetFileNameWithoutExtension(batch.Items[0].Path));
        Assert.Equal((Pictures.Red(8, 11 * number) / 127.5f) - 1, batch.Pixels!.data<float>().ToArray()[0], 1e-6f);

        using var smaller = loader.Load(Plan(Dataset(16, 8, batchSize: 1))).First();
        Assert.Equal([1, 3, 8, 16], smaller.Pixels!.shape);
        Assert.Equal(new Framing(new(16, 12), 0, 2, new(16, 8)), smaller.Items[0].Framing);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 1)]
    [InlineData(4, null)]
    public void Load_DoesNotDependOnTheNumberOfWorkers(int workers, int? ahead)
    {
        var plan = Plan(Dataset(32, 24, batchSize: 2, new() { Shuffle = true, TagDropoutRate = 0.3, DropoutRate = 0.2 }));
        var options = new BatchLoaderOptions { Workers = workers, BatchesAhead = ahead };
        Assert.Equal(Contents(plan, new() { Workers = 0 }), Contents(plan, options));
    }

    [Fact]
    public void Load_FromTheMiddle_GivesTheSameBatches()
    {
        var dataset = Dataset(32, 24, batchSize: 2, new() { Shuffle = true });
        Assert.Equal(Contents(Plan(dataset), new()).Skip(2), Contents(Plan(dataset), new(), firstBatch: 2));
        Assert.Empty(Contents(Plan(dataset), new(), firstBatch: 4));
        Assert.NotEqual(Contents(Plan(dataset), new()), Contents(Plan(dataset, epoch: 2), new()));
        using var loader = new BatchLoader();
        Assert.Throws<ArgumentOutOfRangeException>(() => loader.Load(Plan(dataset), firstBatch: 5));
    }

    [Fact]
    public void Load_DrawsAnewAtEachRepeat()
    {
        var dataset = new DatasetBuilder().WithResolution(32, 24)
            .Add(new Items(new DatasetItem(_folder.File("0.png"), "a, b, c, d, e, f") { Repeats = 12 }),
                new() { Captions = new() { Shuffle = true } }).Build();
        using var loader = new BatchLoader();
        var captions = new HashSet<string>();
        foreach (var batch in loader.Load(Plan(dataset)))
            using (batch) captions.UnionWith(batch.Captions);
        Assert.InRange(captions.Count, 10, 12);               // 12 draws of 720 orders: two are seldom the same
    }

    [Fact]
    public void Load_WithTokenWarmup_CountsSteps()
    {
        var dataset = Dataset(32, 24, batchSize: 1, new() { WarmupSteps = 7, WarmupMin = 1 });
        int Parts(int epoch, int batch, int microSteps)
        {
            using var loader = new BatchLoader(new() { Workers = 0, MicroSteps = microSteps });
            using var first = loader.Load(Plan(dataset, epoch), batch).First();
            return first.Captions[0].Split(", ").Length;
        }

        Assert.Equal((1, 4, 5), (Parts(1, 0, 1), Parts(1, 6, 1), Parts(2, 0, 1)));       // floor(6 * 4 / 7) + 1
        Assert.Equal((2, 3), (Parts(1, 6, 2), Parts(2, 0, 2)));                          // 3 and 4 steps done
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void Load_WhenAFileBecameBad_NamesItWhenItsTurnComes(int workers)
    {
        var plan = Plan(Dataset(32, 24, batchSize: 1));
        var victim = plan.Dataset.Samples[plan.Batches[4].Samples[0]].Path;
        File.WriteAllBytes(victim, File.ReadAllBytes(victim)[..60]);
        using var loader = new BatchLoader(new() { Workers = workers });
        var delivered = 0;
        var error = Assert.Throws<InvalidFileException>(() =>
        {
            foreach (var batch in loader.Load(plan))
                using (batch) delivered++;
        });
        Assert.Equal(victim, error.Path);
        Assert.Equal(4, delivered);
        Assert.Equal(victim, Assert.Single(plan.Dataset.CheckImages()).Value);
    }

    [Fact]
    public void Load_WhenAFileWasReplaced_SaysSo()
    {
        var plan = Plan(Dataset(32, 24, batchSize: 7));
        Pictures.Write(_folder.File("3.png"), 40, 24);
        using var loader = new BatchLoader();
        var error = Assert.Throws<InvalidFileException>(() => loader.Load(plan).First());
        Assert.Equal(_folder.File("3.png"), error.Path);
        Assert.Contains("40x24", error.Message);
    }

    [Fact]
    public void Load_AbandonedHalfWay_LeavesNothingBehind()
    {
        var plan = Plan(Dataset(32, 24, batchSize: 1));
        using var loader = new BatchLoader(new() { Workers = 3, BatchesAhead = 5 });
        foreach (var batch in loader.Load(plan))
            using (batch) break;
        Assert.Equal(_liveBefore, TensorCount.Live);

        var forgotten = loader.Load(plan).GetEnumerator();
        Assert.True(forgotten.MoveNext());
        forgotten.Current.Dispose();
        loader.Dispose();
        Assert.Equal(_liveBefore, TensorCount.Live);
        Assert.Throws<ObjectDisposedException>(() => { while (forgotten.MoveNext()) forgotten.Current.Dispose(); });
    }

    [Fact]
    public void Load_Cancelled_Throws()
    {
        using var cancel = new CancellationTokenSource();
        using var loader = new BatchLoader(new() { Workers = 2 });
        var delivered = 0;
        Assert.Throws<OperationCanceledException>(() =>
        {
            foreach (var batch in loader.Load(Plan(Dataset(32, 24, batchSize: 1)), 0, cancel.Token))
                using (batch)
                    if (++delivered == 2) cancel.Cancel();
        });
        Assert.Equal(2, delivered);
    }

    [Fact]
    public void Batches_OutliveAScopeOfTheConsumer()
    {
        using var loader = new BatchLoader(new() { Workers = 0 });
        Batch batch;
        using (NewDisposeScope()) batch = loader.Load(Plan(Dataset(32, 24, batchSize: 1))).First();
        using (batch) Assert.Equal([1], batch.LossWeights.shape);
    }

    [Fact]
    public void LossWeights_AreThoseOfTheSamples()
    {
        var dataset = new DatasetBuilder().WithResolution(32, 24).WithBatchSize(4).WithPriorLossWeight(0.25)
            .Add(new Items(new DatasetItem(_folder.File("0.png"), "x") { Repeats = 2 }))
            .Add(new Items(new DatasetItem(_folder.File("1.png"), "y")), new() { IsRegularization = true }).Build();
        using var loader = new BatchLoader();
        using var batch = Assert.Single(loader.Load(Plan(dataset)));
        Assert.Equal(batch.Items.Select(item => item.Caption == "x" ? 1f : 0.25f), batch.LossWeights.data<float>().ToArray());
        Assert.Equal(2, batch.Items.Count(item => item.Subset.IsRegularization));
    }

    [Fact]
    public void Options_ThatCannotWork_AreListed() =>
        Assert.Equal(4,
            Assert.Throws<InvalidOptionsException>(() =>
            new BatchLoader(new() { Workers = -1, BatchesAhead = 0, MicroSteps = 0, TotalSteps = -1 })).Problems.Count);

    private sealed class Items(params DatasetItem[] items) : IDatasetSource
    {
        IEnumerable<DatasetItem> IDatasetSource.Items() => items;
    }

    private TrainingDataset Dataset(int width, int height, int batchSize, CaptionOptions? captions = null) =>
        new DatasetBuilder().AddFolder(_folder.Path, new SubsetOptions { Captions = captions ?? new() }).WithResolution(width, height)
            .WithBatchSize(batchSize).Build();

    private static EpochPlan Plan(TrainingDataset dataset, int epoch = 1) => EpochPlan.Create(dataset, new NamedSeeds(17), epoch);

    /// <summary>Everything a batch holds, as text.</summary>
    private static List<string> Contents(EpochPlan plan, BatchLoaderOptions options, int firstBatch = 0)
    {
        using var loader = new BatchLoader(options);
        var result = new List<string>();
        foreach (var batch in loader.Load(plan, firstBatch))
            using (batch)
                result.Add($"{batch.Epoch}/{batch.Index}: {string.Join(" | ", batch.Captions)} "
                    + $"{string.Join(',', batch.Items.Select(item => item.Index))} "
                    + Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(batch.Pixels!.bytes)));
        return result;
    }
}

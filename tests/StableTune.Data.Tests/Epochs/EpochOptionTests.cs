using StableTune.Imaging;
using StableTune.Testing;

namespace StableTune.Data.Tests.Epochs;

public sealed class EpochOptionTests
{
    private static readonly NamedSeeds s_seeds = new(7);

    [Fact]
    public void MinibatchRepeat_PutsEachImageSeveralTimesIntoItsBatch_AndCountsAPassAsSeveralEpochs()
    {
        var dataset = Square(10, new DatasetOptions { BatchSize = 4, MinibatchRepeat = 2 });
        Assert.Equal(2, dataset.BatchesPerEpoch);                                 // 5 batches of 2 images, divided by 2
        var batches = Enumerable.Range(1, 10).SelectMany(epoch => EpochPlan.Create(dataset, s_seeds, epoch).Batches).ToList();
        Assert.All(batches, batch => Assert.Equal((4, 2), (batch.Samples.Count, batch.Samples.Distinct().Count())));
        Assert.All(batches, batch => Assert.Equal(batch.Samples.Take(2), batch.Samples.Skip(2)));
        // 10 epochs are 20 batches, 4 passes: each image 4 times, in 2 copies.
        Assert.All(batches.SelectMany(batch => batch.Samples).CountBy(index => index), pair => Assert.Equal(8, pair.Value));
    }

    [Fact]
    public void MinibatchRepeat_OfOneImage_DrawsEachCopyApart()
    {
        var dataset = new DatasetBuilder().WithOptions(new() { Resolution = new(64, 64), BatchSize = 8, MinibatchRepeat = 8 })
            .Add(new Virtual(Items(1, "a, b, c, d, e, f")), new() { Captions = new() { Shuffle = true } }).Build();
        var plan = EpochPlan.Create(dataset, s_seeds, 1);
        var sample = dataset.Samples[0];
        var captions = Enumerable.Range(0, 8)
            .Select(place => sample.Captions.Apply(sample.Caption, new(1, 0, 0, plan.RandomFor("caption", place)))).Distinct();
        Assert.Equal([0, 0, 0, 0, 0, 0, 0, 0], Assert.Single(plan.Batches).Samples);
        Assert.True(captions.Count() > 4);
    }

    [Fact]
    public void MaxBatchesPerEpoch_GoesOnWhereTheEpochBeforeStopped()
    {
        var dataset = Square(10, new DatasetOptions { BatchSize = 2, MaxBatchesPerEpoch = 2 });
        Assert.Equal(2, dataset.BatchesPerEpoch);
        var drawn = Enumerable.Range(1, 5).SelectMany(epoch => EpochPlan.Create(dataset, s_seeds, epoch).Batches)
            .SelectMany(batch => batch.Samples).ToList();
        Assert.Equal(20, drawn.Count);
        Assert.All(drawn.CountBy(index => index), pair => Assert.Equal(2, pair.Value));
        Assert.Equal(Order(dataset, 4), Order(dataset, 4));
        Assert.NotEqual(Order(dataset, 4), Order(dataset, 5));
        Assert.Equal(5, Square(10, new DatasetOptions { BatchSize = 2, MaxBatchesPerEpoch = 100 }).BatchesPerEpoch);
    }

    [Fact]
    public void MaxBatchesPerEpoch_AboveTheNumberThereIs_ChangesNothing() =>
        Assert.Equal(Order(Square(10, new DatasetOptions { BatchSize = 2 }), 3),
            Order(Square(10, new DatasetOptions { BatchSize = 2, MaxBatchesPerEpoch = 5 }), 3));

    [Fact]
    public void DropLast_LeavesOutBatchesThatAreNotFull()
    {
        var dataset = Square(10, new DatasetOptions { BatchSize = 4, DropLast = true });
        var plan = EpochPlan.Create(dataset, s_seeds, 1);
        Assert.Equal((2, 2), (dataset.BatchesPerEpoch, plan.Batches.Count));
        Assert.All(plan.Batches, batch => Assert.Equal(4, batch.Samples.Distinct().Count()));
        var fault = Assert.Throws<InvalidOptionsException>(() => Square(3, new DatasetOptions { BatchSize = 4, DropLast = true }));
        Assert.Contains("DatasetOptions.DropLast", fault.Message);
    }

    [Fact]
    public void SamplesPerEpoch_OfASubset_DrawsEachImageEquallyOftenInTheLongRun()
    {
        var dataset = new DatasetBuilder().WithResolution(128).WithBatchSize(2)
            .WithBuckets(new() { MinSide = 64, MaxSide = 256, Step = 64 })
            .Add(new Virtual([.. Items(5), new("w.png", new PixelSize(256, 64), ""), new("x.png", new PixelSize(256, 64), "")]),
                new() { SamplesPerEpoch = 4 })
            .Add(new Virtual([new("fixed.png", new PixelSize(64, 64), "")]), new() { Repeats = 3 }).Build();
        Assert.Equal(7, dataset.TrainingImageCount);
        var epochs = Enumerable.Range(1, 70).Select(epoch => EpochPlan.Create(dataset, s_seeds, epoch)).ToList();
        Assert.All(epochs, plan => Assert.Equal(dataset.BatchesPerEpoch, plan.Batches.Count));
        Assert.All(epochs, plan => Assert.Equal((3, 4), (Count(plan, "fixed.png"), plan.Batches.Sum(batch => batch.Samples.Count) - 3)));
        // 3 of the 5 square ones an epoch, 1 of the 2 wide ones.
        var times = epochs.SelectMany(plan => plan.Batches).SelectMany(batch => batch.Samples)
            .CountBy(index => dataset.Samples[index].Path).ToDictionary();
        Assert.All(Enumerable.Range(0, 5), i => Assert.Equal(42, times[$"{i}.png"]));
        Assert.Equal((35, 35), (times["w.png"], times["x.png"]));
        Assert.Equal(Order(dataset, 31), Order(dataset, 31));
        Assert.NotEqual(Drawn(dataset, 1), Drawn(dataset, 2));
    }

    [Fact]
    public void SamplesPerEpoch_OfTheDataset_IsSharedByWeights()
    {
        var dataset = new DatasetBuilder().WithOptions(new() { Resolution = new(64, 64), SamplesPerEpoch = 10 })
            .Add(new Virtual(Items(100)), new() { Weight = 1 })
                .Add(new Virtual([new("rare.png", new PixelSize(64, 64), "")]), new() { Weight = 4 }).Build();
        Assert.Equal(10, dataset.BatchesPerEpoch);
        Assert.All(Enumerable.Range(1, 5), epoch => Assert.Equal(8, Count(EpochPlan.Create(dataset, s_seeds, epoch), "rare.png")));
    }

    [Theory]
    [InlineData("SubsetOptions.Weight")]
    [InlineData("SubsetOptions.SamplesPerEpoch")]
    [InlineData("DatasetOptions.SamplesPerEpoch")]
    [InlineData("DatasetOptions.MinibatchRepeat")]
    [InlineData("DatasetOptions.PriorStyle")]
    [InlineData("DatasetOptions.MaxBatchesPerEpoch")]
    [InlineData("DatasetOptions.MinimumImageArea")]
    public void Build_WithWhatCannotWork_NamesTheOption(string option)
    {
        var options = new DatasetOptions { Resolution = new(64, 64), BatchSize = 4 };
        var subset = new SubsetOptions();
        (options, subset) = option switch
        {
            "SubsetOptions.Weight" => (options, subset with { Weight = 2 }),
            "SubsetOptions.SamplesPerEpoch" => (options, subset with { SamplesPerEpoch = 2, Repeats = 2 }),
            "DatasetOptions.SamplesPerEpoch" => (options with { SamplesPerEpoch = 0 }, subset),
            "DatasetOptions.MinibatchRepeat" => (options with { MinibatchRepeat = 3 }, subset),
            "DatasetOptions.PriorStyle" => (options with { PriorStyle = PriorStyle.Paired }, subset),
            "DatasetOptions.MaxBatchesPerEpoch" => (options with { MaxBatchesPerEpoch = 0 }, subset),
            _ => (options with { MinimumImageArea = -1 }, subset),
        };
        var fault = Assert.Throws<InvalidOptionsException>(() =>
            new DatasetBuilder().WithOptions(options).Add(new Virtual(Items(4)), subset).Build());
        Assert.Contains(option, fault.Message);
    }

    [Fact]
    public void SamplesPerEpoch_FewerThanTrainingSizes_IsRefused()
    {
        var fault = Assert.Throws<InvalidOptionsException>(() =>
            new DatasetBuilder().WithResolution(128).WithBuckets(new() { MinSide = 64, MaxSide = 256, Step = 64 })
            .Add(new Virtual([.. Items(5), new("w.png", new PixelSize(256, 64), "")]), new() { SamplesPerEpoch = 1 }).Build());
        Assert.Contains("2 training sizes", fault.Message);
    }

    [Fact]
    public void MinimumImageArea_LeavesSmallImagesOut_WithAWarning()
    {
        var dataset = new DatasetBuilder().WithOptions(new() { Resolution = new(64, 64), MinimumImageArea = 64 * 64 })
            .Add(new Virtual([.. Items(2), new("small.png", new PixelSize(63, 64), "")])).Build();
        Assert.Equal(["0.png", "1.png"], dataset.Samples.Select(sample => sample.Path));
        Assert.Contains(dataset.Warnings, warning =>
            warning.Contains("1 image(s) have fewer than 4096 pixels", StringComparison.Ordinal)
            && warning.Contains("small.png", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(3, 7)]
    [InlineData(7, 3)]
    public void PairedPriorPreservation_PairsItemsAsTheReferenceDoes(int instances, int classes)
    {
        var dataset = Paired(instances, classes, batchSize: 2);
        var length = Math.Max(instances, classes);
        Assert.Equal((length + 1) / 2, dataset.BatchesPerEpoch);
        var pairs = new List<(string, string)>();
        foreach (var batch in EpochPlan.Create(dataset, s_seeds, 1).Batches)
        {
            var half = batch.Samples.Count / 2;
            for (var i = 0; i < half; i++) pairs.Add(
                (dataset.Samples[batch.Samples[i]].Path, dataset.Samples[batch.Samples[half + i]].Path));
        }

        Assert.Equal(Enumerable.Range(0, length).Select(i => ($"{i % instances}.png", $"class{i % classes}.png")).Order(), pairs.Order());
    }

    [Fact]
    public void PairedPriorPreservation_GivesClassImagesTheSizeOfTheirPartners()
    {
        var dataset = new DatasetBuilder()
            .WithOptions(new() { Resolution = new(128, 128), BatchSize = 3, PriorStyle = PriorStyle.Paired,
            Bucketing = new AspectBuckets { MinSide = 64, MaxSide = 256, Step = 64 } })
            .Add(new Virtual([.. Items(4), new("w.png", new PixelSize(256, 64), ""), new("x.png", new PixelSize(256, 64), "")]))
            .Add(new Virtual(Classes(2)), new() { IsRegularization = true }).Build();
        Assert.Equal(2, dataset.Buckets.Count);
        foreach (var batch in EpochPlan.Create(dataset, s_seeds, 1).Batches)
        {
            Assert.All(batch.Samples, index => Assert.Equal(batch.Size, dataset.Samples[index].Framing.Size));
            Assert.Equal([.. Enumerable.Repeat(false, batch.Samples.Count / 2), .. Enumerable.Repeat(true, batch.Samples.Count / 2)],
                batch.Samples.Select(index => dataset.Samples[index].Subset.IsRegularization));
        }
    }

    [Fact]
    public void PairedPriorPreservation_WeighsEachHalfByItsMean()
    {
        using var folder = new TemporaryFolder();
        for (var i = 0; i < 2; i++) Pictures.Write(folder.File($"{i}.png"), 64, 64, i);
        var dataset = new DatasetBuilder()
            .WithOptions(new() { Resolution = new(64, 64), BatchSize = 2, PriorStyle = PriorStyle.Paired, PriorLossWeight = 0.25 })
            .Add(new Virtual([new(folder.File("0.png"), "instance")]))
                .Add(new Virtual([new(folder.File("1.png"), "class")]), new() { IsRegularization = true }).Build();
        using var loader = new BatchLoader(new() { Workers = 0 });
        using var batch = Assert.Single(loader.Load(EpochPlan.Create(dataset, s_seeds, 1)));
        Assert.Equal(["instance", "class"], batch.Captions);
        // mean([2 a, 2 w b]) = a + w b
        Assert.Equal([2f, 0.5f], batch.LossWeights.data<float>().ToArray());
    }

    private static TrainingDataset Paired(int instances, int classes, int batchSize) => new DatasetBuilder()
        .WithOptions(new() { Resolution = new(64, 64), BatchSize = batchSize, PriorStyle = PriorStyle.Paired })
        .Add(new Virtual(Items(instances))).Add(new Virtual(Classes(classes)), new() { IsRegularization = true }).Build();

    private static TrainingDataset Square(int count, DatasetOptions options) =>
        new DatasetBuilder().WithOptions(options with { Resolution = new(64, 64) }).Add(new Virtual(Items(count))).Build();

    private static DatasetItem[] Items(int count, string caption = "") =>
        [.. Enumerable.Range(0, count).Select(i => new DatasetItem($"{i}.png", new PixelSize(64, 64), caption))];

    private static DatasetItem[] Classes(int count) =>
        [.. Enumerable.Range(0, count).Select(i => new DatasetItem($"class{i}.png", new PixelSize(90, 70), ""))];

    private static string Order(TrainingDataset dataset, int epoch) =>
        string.Join(' ', EpochPlan.Create(dataset, s_seeds, epoch).Batches.SelectMany(batch => batch.Samples));

    private static string Drawn(TrainingDataset dataset, int epoch) =>
        string.Join(' ', EpochPlan.Create(dataset, s_seeds, epoch).Batches.SelectMany(batch => batch.Samples).Order());

    private static int Count(EpochPlan plan, string path) =>
        plan.Batches.SelectMany(batch => batch.Samples).Count(index => plan.Dataset.Samples[index].Path == path);

    private sealed class Virtual(DatasetItem[] items) : IDatasetSource
    {
        public IEnumerable<DatasetItem> Items() => items;
    }
}

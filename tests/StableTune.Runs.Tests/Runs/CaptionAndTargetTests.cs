using StableTune.Data;
using StableTune.Imaging;
using StableTune.Testing;

namespace StableTune.Tests;

/// <summary>Options that change what a step aims at: weighted captions, preserved outputs, pairs, trial runs.</summary>
public sealed class CaptionAndTargetTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Train_WithWeightedCaptions_WeighsThem_CachedOrNot(bool cached)
    {
        var plain = Run("plain", "a frog").WithCachedTextEncoderOutputs(cached).Train();
        var one = Run("one", "a (frog:1.0)").WithWeightedCaptions().WithCachedTextEncoderOutputs(cached).Train();
        var heavy = Run("heavy", "a (frog:1.8)").WithWeightedCaptions().WithCachedTextEncoderOutputs(cached).Train();
        var literal = Run("literal", "a (frog:1.8)").WithCachedTextEncoderOutputs(cached).Train();
        // Two pieces of text, "a " and "frog", are the same tokens as the whole.
        Assert.Equal(plain.Losses, one.Losses);
        Assert.NotEqual(plain.Losses[0], heavy.Losses[0]);
        Assert.NotEqual(literal.Losses[0], heavy.Losses[0]);
    }

    [Fact]
    public void Build_WithABrokenWeight_NamesTheImage()
    {
        var fault = Assert.Throws<InvalidOptionsException>(() => Run("bad", "a (frog:1.2.3)").WithWeightedCaptions().Build());
        Assert.Contains("DatasetItem.Caption", fault.Message);
        Assert.Contains("1.2.3", fault.Message);
        Run("good", "a (frog:1.2.3)").Build();
    }

    [Theory]
    [InlineData(true, 0, true)]
    [InlineData(false, 0.1, true)]
    [InlineData(false, 0, false)]
    public void Train_TearingBracketsApart_Warns(bool shuffle, double tagDropout, bool warns)
    {
        var logger = new ListLogger();
        var captions = new CaptionOptions { Shuffle = shuffle, TagDropoutRate = tagDropout };
        var dataset = new DatasetBuilder()
            .Add(new Captioned(TinyRun.Images(_folder), "a (red, green:1.2) frog"), new() { Captions = captions }).WithResolution(64);
        TinyRun.Bare(_folder).WithDataset(dataset).WithWeightedCaptions().For(TrainingLength.Steps(1)).WithLogger(logger).Train();
        var said = logger.Entries.Where(entry => entry.Text.Contains("inside brackets", StringComparison.Ordinal)).ToList();
        Assert.Equal(warns ? 1 : 0, said.Count);
        if (warns)
            Assert.Contains(shuffle ? "CaptionOptions.Shuffle" : "CaptionOptions.TagDropoutRate is 0.1", said[0].Text,
                StringComparison.Ordinal);
    }

    [Fact]
    public void Train_ImagesWhoseOutputIsPreserved_HaveNoLossBeforeAnythingWasLearned()
    {
        var preserve = new SubsetOptions { Attributes = new Dictionary<string, object?> { [SubsetOptions.PreserveOutput] = true } };
        var images = TinyRun.Images(_folder);
        TrainerBuilder Of(string name, params SubsetOptions[] subsets)
        {
            var dataset = new DatasetBuilder().WithResolution(64).WithBatchSize(1);
            foreach (var subset in subsets) dataset.Add(new Captioned(images, "a frog"), subset);
            return TinyRun.Bare(_folder, name).WithDataset(dataset).WithSeed(3).For(TrainingLength.Epochs(1));
        }

        // The adapter begins as nothing; adding its zeros rounds sums in another order, which is 1e-14 when squared.
        Assert.InRange(Of("preserved", preserve).For(TrainingLength.Steps(1)).Train().Losses[0], 0, 1e-12);
        var off = preserve with { Attributes = new Dictionary<string, object?> { [SubsetOptions.PreserveOutput] = false } };
        Assert.True(Of("off", off).For(TrainingLength.Steps(1)).Train().Losses[0] > 0.1);

        // Beside others they hold the adapter back once it has learned something.
        var mixed = Of("mixed", new SubsetOptions { Repeats = 1 }, preserve).Train();
        Assert.Equal(8, mixed.Losses.Count);
        Assert.Contains(mixed.Losses, loss => loss is > 0 and < 1e-2);
        Assert.Contains(mixed.Losses, loss => loss > 0.1);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(0.5)]
    [InlineData(0)]
    public void Train_PreservedOutputs_WithAMultiplier_AreHeldToTheUntrainedModel(double multiplier)
    {
        var preserve = new SubsetOptions { Attributes = new Dictionary<string, object?> { [SubsetOptions.PreserveOutput] = true } };
        var images = TinyRun.Images(_folder);
        // Two batches in an epoch, one of each kind, told apart by their captions.
        var dataset = new DatasetBuilder().WithOptions(new() { Resolution = new(64, 64), NetworkMultiplier = multiplier })
            .Add(new Captioned(images, "a frog"), new() { Repeats = 1 }).Add(new Captioned(images, "a toad"), preserve);
        var kinds = new NamedSeeds(3);
        TrainingDataset built = dataset.Build();
        bool[] preserved = [.. Enumerable.Range(1, 2).SelectMany(epoch => EpochPlan.Create(built, kinds, epoch).Batches)
            .Select(batch => built.Samples[batch.Samples[0]].Caption == "a toad")];
        var losses = TinyRun.Bare(_folder, $"m{multiplier}").WithDataset(dataset).WithSeed(3).WithLearningRate(1e-2)
            .For(TrainingLength.Epochs(2)).Train().Losses;
        Assert.Equal(preserved.Length, losses.Count);
        Assert.Contains(true, preserved);
        var (learned, checkedLater) = (false, 0);
        foreach (var (loss, isPreserved) in losses.Zip(preserved))
        {
            if (!isPreserved) Assert.True(loss > 0.1, $"{loss}");
            // What does not act, or has learned nothing yet, changes nothing; afterwards the distance to the untrained model is small,
            // and not nothing.
            else if (!learned || multiplier == 0) Assert.InRange(loss, 0, 1e-12);
            else
            {
                Assert.InRange(loss, 1e-12, 0.1);
                checkedLater++;
            }

            learned |= !isPreserved;
        }

        Assert.True(multiplier == 0 || checkedLater > 0);
    }

    [Fact]
    public void Train_InPairs_LosesTheMeanOfEachHalf()
    {
        // A partner that weighs nothing leaves the mean over the training images alone: the same as the mean over a batch in which it
        // counts half and they double.
        var images = TinyRun.Images(_folder);
        TrainerBuilder Of(string name, double weight) =>
            TinyRun.Bare(_folder, name).For(TrainingLength.Steps(1)).WithDataset(new DatasetBuilder()
            .WithOptions(new() { Resolution = new(64, 64), BatchSize = 2, PriorStyle = PriorStyle.Paired, PriorLossWeight = weight })
            .Add(new Captioned(images, "sls frog")).Add(new Captioned(images, "frog"), new() { IsRegularization = true }));
        var (none, one, two) = (Of("0", 0).Train().Losses[0], Of("1", 1).Train().Losses[0], Of("2", 2).Train().Losses[0]);
        Assert.Equal(2 * (one - none), two - none, 1e-5);
        Assert.True(none > 0.1 && one - none > 0.1, $"{none} {one}");
    }

    [Fact]
    public void TestRun_ReplacesTheLength()
    {
        Assert.Equal(2, TinyRun.Builder(_folder).For(TrainingLength.Epochs(100)).TestRun(2).Train().Steps);
        Assert.Contains("TrainingPlan.TestSteps",
            Assert.Throws<InvalidOptionsException>(() => TinyRun.Builder(_folder).TestRun(0).Build()).Message);
    }

    private TrainerBuilder Run(string name, string caption) => TinyRun.Bare(_folder, name).For(TrainingLength.Steps(2))
        .WithDataset(new DatasetBuilder().Add(new Captioned(TinyRun.Images(_folder), caption)).WithResolution(64).WithBatchSize(2));

    private sealed class Captioned(string folder, string caption) : IDatasetSource
    {
        public IEnumerable<DatasetItem> Items() =>
            Directory.EnumerateFiles(folder, "*.png").Order(StringComparer.Ordinal)
                .Select(path => new DatasetItem(path, ImageHeader.ReadSize(path), caption));
    }
}

using StableTune.Testing;

namespace StableTune.Tests;

/// <summary>Images and captions that cannot be trained are told before training starts, all at once.</summary>
public sealed class BadDataTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Build_FolderWithoutImages_SaysWhatToAdd()
    {
        var problem = Assert.Single(Refused(WithImages(_folder.Folder("empty"))));
        Assert.Equal(("FolderSource.Folder", _folder.File("empty")), (problem.Option, problem.Value));
        Assert.Contains(".png", problem.Remedy);
    }

    [Fact]
    public void Build_FolderMissing_NamesIt() =>
        Assert.Equal(_folder.File("nowhere"), Assert.Single(Refused(WithImages(_folder.File("nowhere")))).Value);

    [Fact]
    public void Build_BadImagesAndCaptions_ListsAllByFile()
    {
        File.WriteAllText(Image("0.png"), "this is no picture");
        File.WriteAllBytes(Image("1.png"), []);
        var images = Refused(TinyRun.Builder(_folder));
        Assert.Equal([Image("0.png"), Image("1.png")], images.Select(p => p.Value));
        Assert.All(images, p => Assert.Equal("DatasetItem.Path", p.Option));

        File.WriteAllText(Image("2.caption"), "");
        File.WriteAllBytes(Image("3.caption"), [(byte)'f', 0xE4, (byte)'g']);
        var captions = Refused(TinyRun.Builder(_folder));
        Assert.Equal([Image("2.caption"), Image("3.caption")], captions.Select(p => p.Value));
        Assert.Contains("empty", captions[0].Rule);
        Assert.Contains("UTF-8", captions[1].Rule);
        Assert.All(captions, p => Assert.NotEmpty(p.Remedy));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Train_ImagesCutShort_ListsAllBeforeTheFirstStep(bool cached)
    {
        // Pictures with noise, so that their headers are good and their pixels are not there.
        foreach (var name in new[] { "1.png", "3.png" })
        {
            var bytes = File.ReadAllBytes(Image(name));
            File.WriteAllBytes(Image(name), bytes[..(bytes.Length * 2 / 3)]);
        }

        var (recorder, before) = (new Recorder(), TinyRun.HeldTensors);
        var trainer = TinyRun.Builder(_folder).WithCachedLatents(cached).WithObserver(recorder).Build();
        var error = Assert.Throws<InvalidOptionsException>(() => trainer.Train());
        Assert.Equal([Image("1.png"), Image("3.png")], error.Problems.Select(p => p.Value).Order());
        Assert.All(error.Problems, p => Assert.NotEmpty(p.Remedy));
        Assert.Empty(recorder.Events);
        Assert.Empty(TinyRun.Written(_folder));
        Assert.Equal(before, TinyRun.HeldTensors);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Train_ImagesCutShort_AreLeftOutWhereTheyMayBe(bool cached)
    {
        var bytes = File.ReadAllBytes(Image("1.png"));
        File.WriteAllBytes(Image("1.png"), bytes[..(bytes.Length * 2 / 3)]);
        var (logger, builder) = (new ListLogger(),
            TinyRun.Builder(_folder).WithBatchSize(1).WithCachedLatents(cached).For(TrainingLength.Epochs(1)));
        var plan = builder.WithLogger(logger).Plan;
        plan = plan with { Dataset = plan.Dataset with { Options = plan.Dataset.Options with { OnBadImage = BadImagePolicy.Skip } },
            Overwrite = true };
        Assert.Equal(3, new Trainer(plan).Train().Steps);
        Assert.Single(logger.Entries, e => e.Text.Contains(Image("1.png") + ": left out", StringComparison.Ordinal));
        Assert.Equal("3", TinyRun.Metadata(TinyRun.Output(_folder))["ss_num_train_images"]);

        foreach (var path in Directory.GetFiles(TinyRun.Images(_folder), "*.png"))
            File.WriteAllBytes(path, bytes[..(bytes.Length * 2 / 3)]);
        Assert.Contains("no readable image",
            Assert.Single(Assert.Throws<InvalidOptionsException>(() => new Trainer(plan).Train()).Problems).Rule);
    }

    [Theory]
    [InlineData(100)]
    [InlineData(0)]
    [InlineData(-64)]
    public void Build_ResolutionThatLatentsCannotHave_IsNotRounded(int side)
    {
        var problem = Assert.Single(Refused(TinyRun.Builder(_folder).WithImages(TinyRun.Images(_folder), resolution: side)));
        Assert.Equal(("DatasetOptions.Resolution", $"{side} x {side}"), (problem.Option, problem.Value));
        Assert.Contains("multiples of 8", problem.Rule);
    }

    [Fact]
    public void Build_WithoutResolution_AsksForIt() =>
        Assert.Equal("DatasetOptions.Resolution",
            Assert.Single(Refused(TinyRun.Bare(_folder).WithDataset(new DatasetBuilder().AddFolder(TinyRun.Images(_folder))))).Option);

    private string Image(string name) => Path.Combine(TinyRun.Images(_folder), name);

    private TrainerBuilder WithImages(string folder) =>
        TinyRun.Bare(_folder).WithDataset(new DatasetBuilder().AddFolder(folder).WithResolution(64));

    private static IReadOnlyList<OptionProblem> Refused(TrainerBuilder builder) =>
        Assert.Throws<InvalidOptionsException>(() => builder.Build()).Problems;
}

using System.Text.Json;
using StableTune.Formats;
using StableTune.Imaging;
using StableTune.Testing;

namespace StableTune.Data.Tests;

public sealed class DatasetBuilderTests
{
    /// <summary>A host's own source: nothing but public API.</summary>
    private sealed class CaptionedFolder(string folder) : IDatasetSource
    {
        public IEnumerable<DatasetItem> Items()
            => from path in Directory.EnumerateFiles(folder, "*.png").Order(StringComparer.Ordinal)
               let caption = File.ReadAllText(Path.ChangeExtension(path, ".txt"))
               select new DatasetItem(path, ImageHeader.ReadSize(path), caption);
    }

    private sealed class Items(params DatasetItem[] items) : IDatasetSource
    {
        IEnumerable<DatasetItem> IDatasetSource.Items() => items;
    }

    [Fact]
    public void Build_FromAHostsOwnSource_UsesItsCaptions()
    {
        using var temporary = new TemporaryFolder();
        Pictures.Write(temporary.File("a.png"), 80, 60);
        File.WriteAllText(temporary.File("a.txt"), "a red frog\r\nsecond line\r\n");
        var sample = Assert.Single(new DatasetBuilder().Add(new CaptionedFolder(temporary.Path)).WithResolution(64).Build().Samples);
        Assert.Equal("a red frog", sample.Caption);
        Assert.Equal(new PixelSize(80, 60), sample.ImageSize);
        Assert.Equal(new Framing(new(85, 64), 10, 0, new(64, 64)), sample.Framing);

        File.WriteAllText(temporary.File("broken.png"), "");
        File.WriteAllText(temporary.File("broken.txt"), "x");
        var error = Assert.Throws<InvalidOptionsException>(() => new DatasetBuilder().Add(new CaptionedFolder(temporary.Path))
            .WithResolution(64).Build());
        Assert.Equal(temporary.File("broken.png"), Assert.Single(error.Problems).Value);
    }

    /// <summary>The one caption has a prefix too; class tokens and captions of the images do not count, and the file comes back.</summary>
    [Theory]
    [InlineData("a photo of rin", "new, a photo of rin")]
    [InlineData("", "new, ")]
    [InlineData(null, "new, a red frog")]
    public void Build_WithOneTextForAll_ReplacesCaptions(string? text, string expected)
    {
        using var temporary = new TemporaryFolder();
        Pictures.Write(temporary.File("a.png"), 80, 60);
        File.WriteAllText(temporary.File("a.txt"), "a red frog");
        var builder = new DatasetBuilder().WithResolution(64).AddFolder(temporary.Path, new SubsetOptions
        {
            CaptionExtensions = CaptionFiles.Any, ClassTokens = "frog",
            Captions = new() { Text = text, Prefix = "new,", PrefixSeparator = " " },
        });
        var sample = Assert.Single(builder.Build().Samples);
        var use = new CaptionUse(1, 0, 1, new RandomStream(1));
        Assert.Equal(expected, CaptionPipeline.From(sample.Subset.Captions).Apply(sample.Caption, use));
        var again = DatasetConfiguration.Read(TomlDocument.Parse(DatasetConfiguration.ToToml(builder.Plan)));
        Assert.Equal(text, Assert.Single(again.Subsets).Options.Captions.Text);
    }

    [Fact]
    public void Build_ReportsEveryProblemAtOnce()
    {
        var images = Fixtures.Path("data", "images");
        var error = Assert.Throws<InvalidOptionsException>(() => new DatasetBuilder()
            .WithOptions(new() { Resolution = new(500, 513), BatchSize = 0, PriorLossWeight = -1 })
            .AddFolder(images, repeats: 0)
            .AddFolder(Fixtures.Path("data", "folders", "bad_encoding"),
                new SubsetOptions { CaptionExtensions = CaptionFiles.Any, Captions = new() { DropoutRate = 2, KeepTokens = -1 } })
            .AddFolder("nowhere")
            .AddDreamBoothRoot("nor here").Build());
        var lines = error.Problems.Select(problem => problem.ToString()).ToList();
        string[] expected =
        [
            "DatasetOptions.Resolution is \"500 x 513\": width and height must be multiples of 8. 504 x 512 is the nearest",
            "DatasetOptions.BatchSize is 0", "DatasetOptions.PriorLossWeight is -1", "SubsetOptions.Repeats is 0",
            "CaptionOptions.DropoutRate is 2", "CaptionOptions.KeepTokens is -1",
            "e.txt\": the caption file is not UTF-8", "FolderSource.Folder is \"nowhere\": the folder does not exist",
            "DreamBoothRootSource.Root is \"nor here\"", "zero_byte.png", "not_an_image.jpg",
        ];
        Assert.All(expected, part => Assert.Contains(lines, line => line.Contains(part)));
        Assert.Equal(expected.Length, lines.Count);
    }

    [Fact]
    public void Build_SkippingBadImages_NamesThem()
    {
        var builder = new DatasetBuilder().AddFolder(Fixtures.Path("data", "images")).WithResolution(64);
        var dataset = builder.WithOptions(builder.Plan.Options with { OnBadImage = BadImagePolicy.Skip }).Build();
        Assert.Contains(dataset.Warnings, warning => warning.Contains("zero_byte.png"));
        Assert.Contains(dataset.Warnings, warning => warning.Contains("not_an_image.jpg"));
        Assert.DoesNotContain(dataset.Samples, sample => sample.Path.EndsWith("zero_byte.png"));
        Assert.Equal([.. Enumerable.Range(0, dataset.Samples.Count)], dataset.Samples.Select(sample => sample.Index));
    }

    [Fact]
    public void Build_WithOnlyBadImages_FailsEvenWhenSkipping()
    {
        using var temporary = new TemporaryFolder();
        File.WriteAllText(temporary.File("a.png"), "no");
        var builder = new DatasetBuilder().AddFolder(temporary.Path)
            .WithOptions(new() { Resolution = new(64, 64), OnBadImage = BadImagePolicy.Skip });
        Assert.Contains("no readable image", Assert.Throws<InvalidOptionsException>(builder.Build).Message);
    }

    [Fact]
    public void Build_WithoutImagesOrResolution_SaysWhatToCall()
    {
        var problems = Assert.Throws<InvalidOptionsException>(new DatasetBuilder().Build).Problems;
        Assert.Equal(["DatasetPlan.Subsets", "DatasetOptions.Resolution"], problems.Select(problem => problem.Option));
        Assert.All(problems, problem => Assert.Contains("call", problem.Remedy));
    }

    [Fact]
    public void Build_WithRegularizationImagesOnly_IsRefused() =>
        Assert.Contains("SubsetOptions.IsRegularization is True", Assert.Throws<InvalidOptionsException>(() =>
            new DatasetBuilder().WithResolution(64).AddRegularizationRoot(Fixtures.Path("data", "folders", "reg")).Build()).Message);

    [Fact]
    public void Build_WithRepeatsBeyondMeasure_NamesTheFolder()
    {
        using var temporary = new TemporaryFolder();
        Pictures.Write(Path.Combine(temporary.Folder("2000000000_x"), "a.png"), 64, 64);
        var problem = Assert.Single(Assert.Throws<InvalidOptionsException>(new DatasetBuilder().AddFolder(temporary.File("2000000000_x"))
            .WithResolution(64).Build).Problems);
        Assert.Equal(2_000_000_000, problem.Value);
        Assert.Contains("2000000000_x", problem.Rule);
    }

    [Theory]
    [InlineData(64, 64, 1, 60, 64)]
    [InlineData(64, 64, 0, 72, 64)]
    [InlineData(64, 64, 8, 64, 64)]
    [InlineData(64, 64, -1, 56, 64)]
    public void Build_WithABucketingThatCannotBe_NamesTheImage(int resizedWidth, int resizedHeight, int left, int width, int height)
    {
        var builder = new DatasetBuilder().WithResolution(64)
            .WithBucketing(new Wrong(new(new(resizedWidth, resizedHeight), left, 0, new(width, height))))
            .Add(new Items(new DatasetItem("a.png", new(64, 64), "")));
        Assert.Equal("a.png", Assert.Single(Assert.Throws<InvalidOptionsException>(builder.Build).Problems).Value);
    }

    [Fact]
    public void Build_AnImageLikeAThread_IsRefusedBeforeItIsScaled()
    {
        var builder = new DatasetBuilder().WithResolution(512)
            .Add(new Items(new DatasetItem("thread.png", new(4, 60_000), "x"), new DatasetItem("strip.png", new(512, 60_000), "x")));
        var problem = Assert.Single(Assert.Throws<InvalidOptionsException>(builder.Build).Problems);
        Assert.Equal("thread.png", problem.Value);
        Assert.Contains("7680000", problem.Rule);
    }

    private sealed class Wrong(Framing framing) : IBucketing
    {
        public bool HasBuckets => true;

        public IEnumerable<OptionProblem> Validate(PixelSize resolution) => [];

        public Framing Frame(PixelSize image, PixelSize resolution) => framing;
    }

    [Fact]
    public void Build_WithAFolderTwice_KeepsTheFirst()
    {
        var folder = Fixtures.Path("data", "folders", "reg", "1_frog");
        var dataset = new DatasetBuilder().WithResolution(64).AddFolder(folder, repeats: 2).AddFolder(folder + "/", repeats: 9).Build();
        Assert.Equal(2, Assert.Single(dataset.Samples).Repeats);
        Assert.Contains(dataset.Warnings, warning => warning.Contains("added twice"));
    }

    [Fact]
    public void Build_TurnsPhotographsAsTheirOrientationSays_UnlessToldNotTo()
    {
        PixelSize Size(bool apply)
        {
            using var temporary = new TemporaryFolder();
            File.Copy(Fixtures.Path("data", "images", "jpeg_exif6.jpg"), temporary.File("a.jpg"));
            var options = new DatasetOptions { Resolution = new(64, 64), ApplyExifOrientation = apply };
            return Assert.Single(new DatasetBuilder().AddFolder(temporary.Path).WithOptions(options).Build().Samples).ImageSize;
        }

        Assert.Equal(Size(apply: false).Transposed, Size(apply: true));
    }

    [Fact]
    public void Plan_OfAnEarlierMoment_IsNotTouchedByLaterCalls()
    {
        var builder = new DatasetBuilder().WithResolution(64);
        var plan = builder.Plan;
        builder.WithResolution(128).AddFolder("x");
        Assert.Equal(new PixelSize(64, 64), plan.Options.Resolution);
        Assert.Empty(plan.Subsets);
    }

    [Fact]
    public void LossWeight_IsThePriorLossWeight_OfRegularizationImagesOnly()
    {
        var dataset = new DatasetBuilder().WithResolution(64).WithPriorLossWeight(0.5)
            .Add(new Items(new DatasetItem("a.png", new(64, 64), "x"))).Add(new Items(new DatasetItem("b.png", new(64, 64), "y")),
                new() { IsRegularization = true }).Build();
        Assert.Equal([1f, 0.5f], dataset.Samples.Select(sample => sample.LossWeight));
    }

    [Fact]
    public void Folders_TagsAndCounts_AreThoseOfTheSubsets()
    {
        var dataset = new DatasetBuilder().WithResolution(512, 768).WithBatchSize(2)
            .Add(new Items(
                new DatasetItem(Path.Combine("img", "10_cat", "a.png"), new(64, 64), "Cat, Sitting , cat") { Repeats = 10 },
                new DatasetItem(Path.Combine("img", "10_cat", "b.png"), new(64, 128), "dog,, \u00e9t\u00e9 \"x\"") { Repeats = 10 }))
            .Add(new Items(new DatasetItem(Path.Combine("reg", "1_cat", "c.png"), new(64, 64), "CAT")), new() { IsRegularization = true })
                .Build();
        Assert.Equal([("10_cat", 10, 2, false), ("1_cat", 1, 1, true)],
            dataset.Folders.Select(f => (f.Name, f.Repeats, f.ImageCount, f.Options.IsRegularization)));
        Assert.Equal(["10_cat: cat 2, sitting 1, dog 1, \u00e9t\u00e9 \"x\" 1", "1_cat: cat 1"],
            dataset.TagFrequency.Select(folder =>
                $"{folder.Key}: {string.Join(", ", folder.Value.Select(tag => $"{tag.Key} {tag.Value}"))}"));
        Assert.Equal((20, 1, 20), (dataset.TrainingImageCount, dataset.RegularizationImageCount, dataset.BatchesPerEpoch));
        Assert.Equal(((1 / 3.0) + (1 / 6.0) + (1 / 3.0)) / 3, dataset.MeanAspectRatioError, 12);
    }

    [Fact]
    public void TagFrequency_IsTheReferences()
    {
        var reference =
            JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("data", "captions.json"))).RootElement.GetProperty("tag_frequency");
        var captions = from call in reference.GetProperty("calls").EnumerateArray()
                       from caption in call[1].EnumerateArray()
                       select (call[0].GetString()!, caption.GetString()!);
        var expected = reference.GetProperty("result").EnumerateObject()
            .ToDictionary(f => f.Name, f => f.Value.EnumerateObject().ToDictionary(t => t.Name, t => t.Value.GetInt32()));
        Assert.Equal(expected, TagFrequency.Count(captions).ToDictionary(f => f.Key, f => f.Value.ToDictionary()));
    }

    [Fact]
    public void Report_ShowsFoldersSizesAndNotes()
    {
        var report = new DatasetBuilder().WithResolution(72).AddFolder(Fixtures.Path("data", "folders", "train", "20_sls frog")).Build()
            .Report();
        Assert.Contains("1 images, 20 with repeats, 20 batches of 1 in an epoch", report);
        Assert.Contains("20_sls frog: 1 images x 20, class tokens \"sls frog\"", report);
        Assert.Contains("size 72x72: 1 images, 20 with repeats, 20 batches", report);
        Assert.Contains("not a multiple of 64", report);
        Assert.Contains("enlarged", report);
        Assert.Contains("mean aspect error: 0", report);
    }

    [Theory]
    [InlineData(4, "2 images, 40 with repeats, 10 batches of 4 in an epoch")]
    [InlineData(10, "2 images, 40 with repeats, 7 batches (5 of 4, 2 of 10) in an epoch")]
    public void Report_SeveralDataSets_TellsTheSizesOfTheirBatches(int second, string expected)
    {
        DatasetBuilder Part(int batchSize) => new DatasetBuilder().WithResolution(64).WithBatchSize(batchSize)
            .AddFolder(Fixtures.Path("data", "folders", "train", "20_sls frog"));
        Assert.Contains(expected, Part(4).AddDataset(Part(second)).Build().Report());
    }

    /// <summary>Where all images of a picture size go to one size, the framing is the reference's.</summary>
    [Fact]
    public void FixedResolution_FramesAsTheReference()
    {
        var cases = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("data", "image_cases.json"))).RootElement.GetProperty("cases")
            .EnumerateArray()
            .Where(c => c.TryGetProperty("bucket_reso", out _) && !c.GetProperty("bucket_settings").GetProperty("no_upscale").GetBoolean())
                .ToList();
        Assert.True(cases.Count > 20, $"{cases.Count} cases");
        Assert.All(cases, c =>
        {
            static PixelSize Size(JsonElement pair) => new(pair[0].GetInt32(), pair[1].GetInt32());
            var target = Size(c.GetProperty("bucket_reso"));
            var resized = Size(c.GetProperty("resized_size"));
            var framing = new FixedResolution().Frame(Size(c.GetProperty("original_size")), target);
            Assert.Equal(new Framing(resized, (resized.Width - target.Width) / 2, (resized.Height - target.Height) / 2, target), framing);
        });
    }
}

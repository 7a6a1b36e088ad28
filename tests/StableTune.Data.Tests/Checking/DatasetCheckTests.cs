using System.Net;
using StableTune.Imaging;
using StableTune.Testing;

namespace StableTune.Data.Tests.Checking;

/// <summary>The pass before training, the duplicate finder, and the preview page.</summary>
public sealed class DatasetCheckTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Check_OfAFolderFullOfFaults_ListsEveryKindOnce()
    {
        Fill();
        var dataset = new DatasetBuilder().AddFolder(_folder.Path, new SubsetOptions { Captions = new() { DropoutRate = 1 } })
            .WithResolution(64).Build();
        var report = dataset.Check(new() { CountTokens = text => text.Split(' ').Length, MaxTokens = 5 });
        Assert.Equal((7, 1), (report.ImageCount, report.ErrorCount));
        Assert.Equal(
            [
                "Unreadable cut.png", "TooSmall small.png", "OddShape long.png", "CropLoss long.png", "NoCaption small.png",
                    "LongCaption good.png",
                $"NeverUsed {Path.GetFileName(_folder.Path)}", "Duplicate twice.png", "Duplicate zz-alike.jpg",
            ],
            report.Findings.Select(finding => $"{finding.Kind} {Path.GetFileName(finding.Path)}"));
        Assert.Contains(" 8 tokens, 5 are used", report.ToString(), StringComparison.Ordinal);
        Assert.Contains("cut.png", Assert.Throws<InvalidOptionsException>(report.ThrowIfErrors).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Check_OfAGoodDataSet_FindsNothing()
    {
        Pictures.Write(_folder.File("a.png"), 64, 64);
        File.WriteAllText(_folder.File("a.caption"), "a picture");
        var report = new DatasetBuilder().AddFolder(_folder.Path).WithResolution(64).Build().Check();
        Assert.Empty(report.ThrowIfErrors().Findings);
        Assert.Equal("1 images: 0 errors, 0 warnings.", report.ToString());
    }

    [Fact]
    public void Find_GroupsEqualFilesAndAlikePictures()
    {
        Fill();
        var groups = DuplicateFinder.Find(_folder.Path);
        Assert.Equal(["True good.png twice.png", "False good.png zz-alike.jpg"],
            groups.Select(group => $"{group.Identical} {string.Join(' ', group.Paths.Select(Path.GetFileName))}"));
    }

    [Fact]
    public void Preview_ShowsWhatTheModelWillSee()
    {
        Fill();
        using var hints = new TemporaryFolder();
        var builder = new DatasetBuilder().AddFolder(_folder.Path, new SubsetOptions
            {
                Repeats = 3, ClassTokens = "<b>class & tokens</b>", Captions = new() { Shuffle = true },
                Augmentation = new() { Flip = true, CircularMask = (0.5, 1) },
            })
            .WithResolution(64).WithBatchSize(4).WithBuckets(new() { MinSide = 32, MaxSide = 128, Step = 16 });
        var dataset = builder.Build();
        var page = _folder.File("preview.html");
        dataset.Preview(page, new() { Title = "Fro<g>s", Seed = 7, Epochs = 2 });
        var html = File.ReadAllText(page);
        Assert.Contains("<h1>Fro&lt;g&gt;s</h1>", html, StringComparison.Ordinal);
        Assert.Contains("&lt;b&gt;class &amp; tokens&lt;/b&gt;", html, StringComparison.Ordinal);
        Assert.DoesNotContain("<b>class", html, StringComparison.Ordinal);
        foreach (var bucket in dataset.Buckets) Assert.Contains($"<h2>{bucket.Size}</h2>", html, StringComparison.Ordinal);
        Assert.Contains("<span class=\"bad\">", html, StringComparison.Ordinal);
        Assert.Equal(7, html.Split("<div class=\"card\">").Length - 1);

        // The first picture is the one that the loader gives in the first epoch, and so are its captions.
        using var loader = new BatchLoader(new() { Workers = 0 });
        var plan = EpochPlan.Create(dataset, new NamedSeeds(7), 1);
        var first = plan.Batches.First(batch =>
            batch.Samples.Any(index => dataset.Samples[index].Path.EndsWith("good.png", StringComparison.Ordinal)));
        var place = first.Samples.ToList().FindIndex(index => dataset.Samples[index].Path.EndsWith("good.png", StringComparison.Ordinal));
        using var batch = new BatchAssembly(plan, new(), null, null)
            .Make(first with { Samples = [first.Samples[place]], FirstDraw = first.FirstDraw + place }, default);
        var card = html.Split("<div class=\"card\">").Single(part => part.Contains("<b>good.png</b>", StringComparison.Ordinal));
        var list = card.Split("<li>")[1];
        Assert.StartsWith(WebUtility.HtmlEncode(batch.Captions[0]), list, StringComparison.Ordinal);
        Assert.Equal(batch.Draws[0].Flipped, list.Split("</li>")[0].Contains("mirrored", StringComparison.Ordinal));
        var jpeg = Convert.FromBase64String(card.Split("base64,")[1].Split('"')[0]);
        var picture = ImageFile.Decode(jpeg);
        Assert.Equal(batch.Size, picture.Size);
        var expected = PixelImage.FromFloats(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(batch.Pixels!.bytes),
            picture.Width, picture.Height);
        Assert.True(expected.Pixels.Zip(picture.Pixels).Average(pair => Math.Abs(pair.First - pair.Second)) < 12);
    }

    [Fact]
    public void Findings_OfAnImageInTwoDataSets_BelongToTheirSizeAndCaption()
    {
        Pictures.Write(_folder.File("a.png"), 128, 128);
        DatasetBuilder Data(PixelSize size, string? text) => new DatasetBuilder().AddFolder(_folder.Path, new() { ClassTokens = text })
            .WithOptions(new() { Resolution = size });
        var dataset = Data(new(64, 64), "a frog").AddDataset(Data(new(64, 128), null)).Build();
        Assert.Equal([(FindingKind.CropLoss, new PixelSize(64, 128)), (FindingKind.NoCaption, (PixelSize?)null)],
            dataset.Check().Findings.Select(finding => (finding.Kind, finding.Size)));

        dataset.Preview(_folder.File("p.html"));
        var cards = File.ReadAllText(_folder.File("p.html")).Split("<h2>64x");
        Assert.Equal((false, true),
            (cards[1].Contains("CropLoss", StringComparison.Ordinal), cards[2].Contains("CropLoss", StringComparison.Ordinal)));
    }

    [Fact]
    public void Preview_OfALargeDataSet_ShowsAShareOfEachBucket()
    {
        for (var i = 0; i < 20; i++) Pictures.Write(_folder.File($"{i:00}.png"), i < 16 ? 64 : 96, 64, i);
        var dataset = new DatasetBuilder().AddFolder(_folder.Path).WithResolution(64)
            .WithBuckets(new() { MinSide = 32, MaxSide = 128, Step = 16 }).Build();
        dataset.Preview(_folder.File("p.html"), new() { MaxImages = 10 });
        var html = File.ReadAllText(_folder.File("p.html"));
        Assert.Equal(10, html.Split("<div class=\"card\">").Length - 1);
        Assert.Contains("10 images are shown", html, StringComparison.Ordinal);
        Assert.Contains("p.html", Assert.Throws<InvalidOptionsException>(() => dataset.Preview(_folder.File("p.html"))).Message);
        Assert.Throws<InvalidOptionsException>(() =>
            dataset.Preview(_folder.File("p.html"), new() { Epochs = 0, MaxImages = 0, ThumbnailSide = 1 }));
    }

    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 2)]
    public void Preview_ReadsEachImageOnce_UnlessChanceCutsIt(bool randomCrop, int reads)
    {
        CountedPicture[] pictures =
            [.. Enumerable.Range(0, 3).Select(i => new CountedPicture($"picture {i}", new PixelImage(100 + i, 80)))];
        var builder = new DatasetBuilder().AddImages(pictures.Select(picture => new DatasetItem(picture, "a caption")),
            new SubsetOptions { Augmentation = new() { Flip = true, RandomCrop = randomCrop, CircularMask = (0.5, 1) } })
                .WithResolution(64);
        builder.WithOptions(builder.Plan.Options with { ValidationSplit = 0.4 }).Build().Preview(_folder.File("p.html"));
        Assert.Equal([reads, reads, 1], pictures.Select(picture => picture.Loads));           // the last is held out, and has no card
    }

    [Fact]
    public void ImagesThatAreGone_AreNoFault()
    {
        Pictures.Write(_folder.File("a.png"), 40, 32);
        File.WriteAllText(_folder.File("a.caption"), "a caption");
        DatasetBuilder Builder() => new DatasetBuilder().Add(new FolderSource(_folder.Path) { TakeCached = true }).WithResolution(32, 16);
        Builder().Build().PrepareCaches(new SquareVae());
        File.Delete(_folder.File("a.png"));
        var dataset = Builder().Build();
        Assert.True(Assert.Single(dataset.Samples).Item.IsCachedOnly);
        Assert.Equal(0, dataset.Check().ErrorCount);
        dataset.Preview(_folder.File("p.html"));
        Assert.Contains("its cached latents are trained", File.ReadAllText(_folder.File("p.html")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(BadImagePolicy.Fail)]
    [InlineData(BadImagePolicy.Skip)]
    public void SecondImages_ThatCannotBeRead_CountAsTheirImages(BadImagePolicy policy)
    {
        using var hints = new TemporaryFolder();
        foreach (var name in new[] { "a.png", "b.png" })
        {
            Pictures.Write(_folder.File(name), 64, 64);
            Pictures.Write(hints.File(name), 64, 64);
        }

        var builder = new DatasetBuilder()
            .AddFolder(_folder.Path, new SubsetOptions { ConditioningFolder = hints.Path, ClassTokens = "frog" }).WithResolution(64);
        var dataset = builder.WithOptions(builder.Plan.Options with { OnBadImage = policy }).Build();
        Cut(hints.File("b.png"));
        Assert.Equal(hints.File("b.png"), Assert.Single(dataset.CheckImages()).Value);
        var finding = Assert.Single(dataset.Check().Findings, finding => finding.Severity == FindingSeverity.Error);
        Assert.Equal(_folder.File("b.png"), finding.Path);
        Assert.StartsWith(hints.File("b.png"), finding.Message, StringComparison.Ordinal);
        if (policy == BadImagePolicy.Fail)
        {
            Assert.Equal(hints.File("b.png"),
                Assert.Single(Assert.Throws<InvalidOptionsException>(() => dataset.WithoutBadImages()).Problems).Value);
            return;
        }

        var rest = dataset.WithoutBadImages();
        Assert.Equal([_folder.File("a.png")], rest.Samples.Select(sample => sample.Path));
        Assert.Contains(rest.Warnings, warning => warning.StartsWith($"{_folder.File("b.png")}: left out, {hints.File("b.png")}:",
            StringComparison.Ordinal));
    }

    [Fact]
    public void ImagesThatAreHeldOut_AreLookedAtToo()
    {
        foreach (var name in new[] { "a.png", "b.png", "c.png" }) Pictures.Write(_folder.File(name), 64, 64);
        var builder = new DatasetBuilder().AddFolder(_folder.Path).WithResolution(64);
        var dataset = builder.WithOptions(builder.Plan.Options with { ValidationSplit = 0.4 }).Build();
        var held = Assert.Single(dataset.Validation!.Samples).Path;
        Cut(held);
        Assert.Equal(held, Assert.Single(dataset.CheckImages()).Value);
        Assert.Equal(held, Assert.Single(Assert.Throws<InvalidOptionsException>(() => dataset.WithoutBadImages()).Problems).Value);
    }

    private static void Cut(string path) => File.WriteAllBytes(path, File.ReadAllBytes(path)[..60]);

    /// <summary>A picture that counts how often it is read.</summary>
    private sealed class CountedPicture(string name, PixelImage image) : IImageSource
    {
        private int _loads;

        public int Loads => _loads;

        public string Name => name;

        public PixelSize ReadSize(ImageLoadOptions options) => image.Size;

        public PixelImage Load(ImageLoadOptions options)
        {
            Interlocked.Increment(ref _loads);
            return image;
        }
    }

    private void Fill()
    {
        File.Copy(Fixtures.Path("data", "images", "png_rgb.png"), _folder.File("good.png"));
        File.Copy(Fixtures.Path("data", "images", "png_rgb.png"), _folder.File("twice.png"));
        File.Copy(Fixtures.Path("data", "images", "exact_128.png"), _folder.File("other.png"));
        var good = ImageFile.Load(_folder.File("good.png"));
        ImageFile.SaveJpeg(_folder.File("zz-alike.jpg"), ImageResize.Resize(good, good.Width * 4 / 5, good.Height * 4 / 5), 90);
        Pictures.Write(_folder.File("small.png"), 40, 40, 77);
        Pictures.Write(_folder.File("long.png"), 400, 80, 3);
        Pictures.Write(_folder.File("cut.png"), 64, 64, 9);
        var bytes = File.ReadAllBytes(_folder.File("cut.png"));
        File.WriteAllBytes(_folder.File("cut.png"), bytes[..(bytes.Length / 2)]);
        foreach (var name in new[] { "twice", "other", "zz-alike", "long", "cut" })
            File.WriteAllText(_folder.File(name + ".caption"), "some, words");
        File.WriteAllText(_folder.File("good.caption"), "one two three four five six seven eight");
    }
}

using StableTune.Imaging;
using StableTune.Testing;

namespace StableTune.Data.Tests.Sources;

public sealed class HostImageTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AddImages_InEveryForm_GivesThePixelsThatAFileGives()
    {
        var path = _folder.File("a.png");
        Pictures.Write(path, 90, 70, 3);
        var bytes = File.ReadAllBytes(path);
        var expected = Pixels(new DatasetBuilder().Add(new OneFile(path)));
        foreach (var image in new[] { HostImage.FromPixels("p", ImageFile.Load(path)), HostImage.FromBytes("b", bytes),
            HostImage.FromStream("s", () => new MemoryStream(bytes)) })
            Assert.Equal(expected, Pixels(new DatasetBuilder().AddImages([new DatasetItem(image, "a caption")])));
    }

    [Fact]
    public void Build_KnowsSizesNamesAndCaptions()
    {
        var dataset = new DatasetBuilder().WithResolution(64).AddImages([
            new DatasetItem(HostImage.FromPixels("one", new PixelImage(80, 64)), "first"),
            new DatasetItem(HostImage.FromPixels("two", new PixelImage(64, 100)), null),
        ], new() { ClassTokens = "frog", Repeats = 2 }).Build();
        Assert.Equal([("one", "80x64", "first"), ("two", "64x100", "frog")],
            dataset.Samples.Select(s => (s.Path, $"{s.ImageSize.Width}x{s.ImageSize.Height}", s.Caption)));
        Assert.Equal(4, dataset.TrainingImageCount);
    }

    [Fact]
    public void CheckAndPreview_ShowThem()
    {
        var picture = new Canvas(100, 80, PixelColor.FromRgb(0x203040));
        picture.FillEllipse(50, 40, 30, 20, PixelColor.FromRgb(0xC0F040));
        var dataset = new DatasetBuilder().WithResolution(64)
            .AddImages([new DatasetItem(HostImage.FromPixels("one", picture.Image), "x"),
                new DatasetItem(HostImage.FromPixels("again", picture.Image), "y")]).Build();
        Assert.Contains(dataset.Check().Findings, finding => finding.Kind == FindingKind.Duplicate && finding.Path == "again");
        dataset.Preview(_folder.File("page.html"));
        Assert.Contains("again", File.ReadAllText(_folder.File("page.html")), StringComparison.Ordinal);
    }

    [Fact]
    public void Alpha_IsTheMask_WhereItIsAskedFor()
    {
        using var scope = NewDisposeScope();
        var image = new PixelImage(64, 64, channels: 4);
        for (var i = 0; i < 64 * 32; i++) image.Pixels[(4 * i) + 3] = 255;
        var opaque = new PixelImage(64, 64);
        var dataset = new DatasetBuilder().WithResolution(64).WithBatchSize(2)
            .AddImages([new DatasetItem(HostImage.FromPixels("half", image), ""),
                new DatasetItem(HostImage.FromPixels("whole", opaque), "")], new() { Mask = LossMask.Alpha }).Build();
        using var loader = new BatchLoader(new() { Workers = 0 });
        using var batch = Assert.Single(loader.Load(EpochPlan.Create(dataset, new NamedSeeds(1), 1)));
        var shares = batch.Items.Select((item, i) => (item.Path, batch.Masks![i].mean().item<float>())).ToDictionary();
        Assert.Equal((0.5f, 1f), (shares["half"], shares["whole"]));
    }

    [Fact]
    public void BadImages_AreNamed_AllAtOnce()
    {
        var fault = Assert.Throws<InvalidOptionsException>(() => new DatasetBuilder().WithResolution(64).AddImages([
            new DatasetItem(HostImage.FromBytes("empty", Array.Empty<byte>()), ""),
            new DatasetItem(HostImage.FromBytes("noise", new byte[] { 1, 2, 3, 4 }), ""),
            new DatasetItem(HostImage.FromStream("gone", () => throw new IOException("the disk is away")), ""),
        ]).Build());
        foreach (var name in new[] { "empty", "noise", "gone", "the disk is away" }) Assert.Contains(name, fault.Message);
        Assert.Contains("two images have this name", Assert.Throws<InvalidOptionsException>(() => new DatasetBuilder().WithResolution(64)
            .AddImages([new DatasetItem(HostImage.FromPixels("x", new(64, 64)), ""),
                new DatasetItem(HostImage.FromPixels("x", new(64, 64)), "")]).Build()).Message);
    }

    private static float[] Pixels(DatasetBuilder builder)
    {
        var dataset = builder.WithResolution(64).Build();
        using var loader = new BatchLoader(new() { Workers = 0 });
        using var batch = Assert.Single(loader.Load(EpochPlan.Create(dataset, new NamedSeeds(1), 1)));
        return batch.Pixels!.data<float>().ToArray();
    }

    private sealed class OneFile(string path) : IDatasetSource
    {
        public IEnumerable<DatasetItem> Items() => [new(path, "a caption")];
    }
}

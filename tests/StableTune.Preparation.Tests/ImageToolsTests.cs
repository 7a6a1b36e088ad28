using System.Text.Json;
using StableTune.Data;
using StableTune.Imaging;
using StableTune.Testing;

namespace StableTune.Preparation.Tests.Preparation;

/// <summary>Tools that write resized images.</summary>
public sealed class ImageToolsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly TemporaryFolder _out = new();

    public void Dispose()
    {
        _folder.Dispose();
        _out.Dispose();
    }

    [Theory]
    [InlineData(1000, 500, 512, 512, 1, 724, 362, 724, 362)]
    [InlineData(1000, 500, 512, 512, 64, 724, 362, 704, 320)]
    [InlineData(100, 50, 512, 512, 8, 100, 50, 96, 48)]
    [InlineData(5000, 1, 16, 16, 1, 1131, 1, 1131, 1)]
    public void Frame_OfAnImage_LimitsItsArea(int width, int height, int limitWidth, int limitHeight, int divisible, int resizedWidth,
        int resizedHeight, int cutWidth, int cutHeight)
    {
        var framing = ImageResizing.Frame(new(width, height), new(limitWidth, limitHeight), divisible);
        Assert.Equal((new PixelSize(resizedWidth, resizedHeight), new PixelSize(cutWidth, cutHeight)), (framing.Resized, framing.Size));
    }

    [Fact]
    public void Resizing_WritesEachSizeFromTheOriginal_WithItsCaption()
    {
        Pictures.Write(_folder.File("cat.png"), 200, 100);
        File.WriteAllText(_folder.File("cat.txt"), "a cat");
        File.WriteAllText(_folder.File("cat2.txt"), "not this cat");
        File.WriteAllText(_folder.File("broken.jpg"), "nothing");
        var options = new ImageResizingOptions { Source = _folder.Path, Destination = _out.Path, Sizes = [new(64, 64), new(32, 32)],
            DivisibleBy = 8, SaveAsPng = true, CopyAssociatedFiles = true };
        var report = ImageResizing.Run(options);
        Assert.Equal(1, report.Done);
        Assert.EndsWith("broken.jpg", Assert.Single(report.Skipped).Path, StringComparison.Ordinal);
        Assert.Equal(["cat+32x32.png", "cat+32x32.txt", "cat+64x64.png", "cat+64x64.txt"], Names());
        var original = ImageFile.Load(_folder.File("cat.png"));
        Assert.Equal(ImageResize.Resize(original, 45, 22).Crop(2, 3, 40, 16).Pixels, ImageFile.Load(_out.File("cat+32x32.png")).Pixels);
        Assert.Equal("a cat", File.ReadAllText(_out.File("cat+64x64.txt")));

        Assert.Contains("4 of the results are there already: cat+64x64.png",
            Assert.Throws<InvalidOptionsException>(() => ImageResizing.Run(options)).Message);
        Assert.Equal(3, ImageResizing.Run(options with { KeepExisting = true }).Skipped.Count);
        Assert.Throws<InvalidOptionsException>(() => ImageResizing.Run(options with { KeepExisting = true, Overwrite = true }));
        Assert.Single(ImageResizing.Run(options with { Overwrite = true }).Skipped);
    }

    [Fact]
    public void Resizing_WithOptionsThatCannotWork_ListsThem()
    {
        File.WriteAllText(_out.File("file"), "");
        var error = Assert.Throws<InvalidOptionsException>(() =>
            ImageResizing.Run(new() { Source = _folder.File("none"), Destination = _out.File("file"), Sizes = [], DivisibleBy = 0 }));
        Assert.Equal(["Source", "Destination", "Sizes", "DivisibleBy"], error.Problems.Select(problem => problem.Option.Split('.')[^1]));
    }

    [Fact]
    public void SdTrainerBucketing_OfAFolder_WritesImagesAndTheirSizes()
    {
        foreach (var name in new[] { "png_rgb.png", "jpeg_baseline.jpg" })
            File.Copy(Fixtures.Path("data", "images", name), _folder.File(name));
        File.WriteAllText(_folder.File("png_rgb.webp"), "");
        File.WriteAllText(_folder.File("zero.png"), "");
        var report = SdTrainerBucketing.Run(new() { Source = _folder.Path, Destination = _out.Path, Resolution = 256,
            Buckets = new() { MinSide = 128, MaxSide = 512 } });
        Assert.Equal(2, report.Done);
        Assert.Equal(["png_rgb.webp", "zero.png"], report.Skipped.Select(file => Path.GetFileName(file.Path)));
        var list = JsonSerializer.Deserialize<Dictionary<string, string[]>>(File.ReadAllText(_out.File("buckets.json")))!;
        Assert.All(list, entry => Assert.All(entry.Value, name =>
        {
            var size = ImageFile.Load(_out.File(name + ".png")).Size;
            Assert.Equal(entry.Key, $"({size.Width}, {size.Height})");
        }));
        Assert.Equal(2, report.Buckets.Sum(bucket => bucket.Images));
        Assert.Contains("mean aspect error", report.ToString(), StringComparison.Ordinal);

        var again = new SdTrainerBucketingOptions { Source = _folder.Path, Destination = _out.Path, Resolution = 256,
            Buckets = new() { MinSide = 128, MaxSide = 512 } };
        Assert.Contains("3 of the results are there already",
            Assert.Throws<InvalidOptionsException>(() => SdTrainerBucketing.Run(again)).Message, StringComparison.Ordinal);
        Assert.Equal(2, SdTrainerBucketing.Run(again with { Overwrite = true }).Done);
    }

    [Fact]
    public void Tools_NameWhatTheyPassOver_AndLeaveFilesOfNobodyAlone()
    {
        Pictures.Write(_folder.File("cat.png"), 40, 30);
        File.WriteAllBytes(_folder.File("._cat.png"), [0, 5, 22, 7]);
        File.WriteAllBytes(_folder.File("phone.heic"), new byte[20]);
        var resized = ImageResizing.Run(new() { Source = _folder.Path, Destination = _out.Path, Sizes = [new(16, 16)] });
        Assert.Equal((1, "phone.heic"), (resized.Done, Path.GetFileName(Assert.Single(resized.Skipped).Path)));
        var edges = CannyImages.Run(new() { Source = _folder.Path, Destination = _out.File("edges") });
        Assert.Equal((1, "phone.heic"), (edges.Done, Path.GetFileName(Assert.Single(edges.Skipped).Path)));
    }

    [Fact]
    public void Resizing_OfAPictureBeyondTheLimit_IsTold_AndAllowedByTheOptionThatIsThere()
    {
        Pictures.Write(_folder.File("cat.png"), 40, 30);
        var options = new ImageResizingOptions { Source = _folder.Path, Destination = _out.Path, Sizes = [new(16, 16)], MaxPixels = 1000 };
        var skipped = Assert.Single(ImageResizing.Run(options).Skipped);
        Assert.Contains("40x30 pixels, more than the limit of 1000", skipped.Reason, StringComparison.Ordinal);
        Assert.DoesNotContain("ImageLoadOptions", skipped.Reason, StringComparison.Ordinal);
        Assert.Equal(1, ImageResizing.Run(options with { MaxPixels = 1200 }).Done);
    }

    [Fact]
    public void Canny_OfAFolder_WritesControlImagesThatADataSetReads()
    {
        var black = new PixelImage(64, 64);
        var square = new PixelImage(64, 64);
        for (var y = 16; y < 48; y++) square.Row(y).Slice(3 * 16, 3 * 32).Fill(255);
        ImageFile.SavePng(_folder.File("black.png"), black);
        ImageFile.SaveJpeg(_folder.File("square.jpg"), square, quality: 100);
        var options = new CannyOptions { Source = _folder.Path, Destination = _out.File("edges") };
        Assert.Equal("2 done.", CannyImages.Run(options).ToString());
        Assert.Equal(["black.png", "square.png"], Directory.EnumerateFiles(_out.File("edges")).Select(Path.GetFileName)
            .Order(StringComparer.Ordinal));
        Assert.Equal(ImageEdges.Canny(ImageFile.Load(_folder.File("square.jpg")), 32, 224).Pixels,
            ImageFile.Load(_out.File("edges", "square.png")).Pixels);

        var dataset = new DatasetBuilder()
            .AddFolder(_folder.Path, new SubsetOptions { ConditioningFolder = _out.File("edges"), ClassTokens = "a square" })
            .WithResolution(64).Build();
        Assert.Equal(["black.png", "square.png"], dataset.Samples.Select(sample => Path.GetFileName(sample.Item.ConditioningPath)));
        using var loader = new BatchLoader();
        foreach (var batch in loader.Load(EpochPlan.Create(dataset, new NamedSeeds(1), 1)))
        {
            using (batch)
            using (var brightest = batch.Conditioning!.max())
                Assert.Equal(batch.Items[0].Path.EndsWith("square.jpg", StringComparison.Ordinal) ? 1 : 0, brightest.ToSingle());
        }
    }

    [Fact]
    public void Canny_WithBadFiles_ListsThemAndGoesOn()
    {
        Pictures.Write(_folder.File("cat.png"), 40, 30);
        File.WriteAllText(_folder.File("broken.png"), "nothing");
        File.Copy(_folder.File("cat.png"), _folder.File("cat.webp"));
        var options = new CannyOptions { Source = _folder.Path, Destination = _out.Path };
        var steps = new List<int>();
        var report = CannyImages.Run(options, new Steps(steps));
        Assert.Equal(1, report.Done);
        Assert.Equal(["broken.png", "cat.webp"], report.Skipped.Select(file => Path.GetFileName(file.Path)));
        Assert.Equal([1, 2, 3], steps);

        File.WriteAllText(_out.File("cat.png"), "mine");
        var refused = Assert.Single(Assert.Throws<InvalidOptionsException>(() => CannyImages.Run(options)).Problems);
        Assert.Equal(("CannyOptions.Destination", true),
            (refused.Option, refused.ToString().Contains("1 of the results are there already: cat.png. Set Overwrite")));
        Assert.Contains("it is there already", CannyImages.Run(options with { KeepExisting = true }).Skipped.Single(file =>
            file.Path == _out.File("cat.png")).Reason);
        Assert.Equal("mine", File.ReadAllText(_out.File("cat.png")));
        CannyImages.Run(options with { Overwrite = true });
        Assert.Equal(new PixelSize(40, 30), ImageFile.Load(_out.File("cat.png")).Size);
        Assert.Throws<OperationCanceledException>(() =>
            CannyImages.Run(options with { Overwrite = true }, null, new CancellationToken(canceled: true)));
    }

    [Fact]
    public void Canny_WithOptionsThatCannotWork_ListsThem()
    {
        var error = Assert.Throws<InvalidOptionsException>(() =>
            CannyImages.Run(new() { Source = _folder.Path, Destination = _folder.Path, LowThreshold = -1, HighThreshold = double.NaN }));
        Assert.Equal(["Destination", "LowThreshold", "HighThreshold"], error.Problems.Select(problem => problem.Option.Split('.')[^1]));
        Assert.Contains("would replace the originals", error.Message, StringComparison.Ordinal);
    }

    private sealed class Steps(List<int> steps) : IProgress<WorkProgress>
    {
        public void Report(WorkProgress value) => steps.Add(value.Done);
    }

    private string[] Names() =>
        [.. Directory.EnumerateFiles(_out.Path).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];
}

using System.Text.Json;
using StableTune.Imaging;
using StableTune.Testing;

namespace StableTune.Data.Tests.Preparation;

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
    public void Frame_OfAnImage_LimitsItsArea(int width, int height, int limitWidth, int limitHeight, int divisible, int resizedWidth, int resizedHeight, int cutWidth, int cutHeight)
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
        var options = new ImageResizingOptions { Source = _folder.Path, Destination = _out.Path, Sizes = [new(64, 64), new(32, 32)], DivisibleBy = 8, SaveAsPng = true, CopyAssociatedFiles = true };
        var report = ImageResizing.Run(options);
        Assert.Equal(1, report.Done);
        Assert.EndsWith("broken.jpg", Assert.Single(report.Skipped).Path, StringComparison.Ordinal);
        Assert.Equal(["cat+32x32.png", "cat+32x32.txt", "cat+64x64.png", "cat+64x64.txt"], Names());
        var original = ImageFile.Load(_folder.File("cat.png"));
        Assert.Equal(ImageResize.Resize(original, 45, 22).Crop(2, 3, 40, 16).Pixels, ImageFile.Load(_out.File("cat+32x32.png")).Pixels);
        Assert.Equal("a cat", File.ReadAllText(_out.File("cat+64x64.txt")));

        Assert.Equal(3, ImageResizing.Run(options).Skipped.Count);
        Assert.Single(ImageResizing.Run(options with { Overwrite = true }).Skipped);
    }

    [Fact]
    public void Resizing_WithOptionsThatCannotWork_ListsThem()
    {
        File.WriteAllText(_out.File("file"), "");
        var error = Assert.Throws<InvalidOptionsException>(() => ImageResizing.Run(new() { Source = _folder.File("none"), Destination = _out.File("file"), Sizes = [], DivisibleBy = 0 }));
        Assert.Equal(["Source", "Destination", "Sizes", "DivisibleBy"], error.Problems.Select(problem => problem.Option.Split('.')[^1]));
    }

    [Fact]
    public void SdTrainerBucketing_OfAFolder_WritesImagesAndTheirSizes()
    {
        foreach (var name in new[] { "png_rgb.png", "jpeg_baseline.jpg" }) File.Copy(Fixtures.Path("data", "images", name), _folder.File(name));
        File.WriteAllText(_folder.File("png_rgb.webp"), "");
        File.WriteAllText(_folder.File("zero.png"), "");
        var report = SdTrainerBucketing.Run(new() { Source = _folder.Path, Destination = _out.Path, Resolution = 256, Buckets = new() { MinSide = 128, MaxSide = 512 } });
        Assert.Equal(2, report.Done);
        Assert.Equal(["png_rgb.webp", "zero.png"], report.Skipped.Select(file => Path.GetFileName(file.Path)));
        var list = JsonSerializer.Deserialize<Dictionary<string, string[]>>(File.ReadAllText(_out.File("buckets.json")))!;
        Assert.All(list, entry => Assert.All(entry.Value, name =>
        {
            var size = ImageFile.Load(_out.File(name + ".png")).Size;
            Assert.Equal(entry.Key, $"({size.Width}, {size.Height})");
        }));
    }

    private string[] Names() => [.. Directory.EnumerateFiles(_out.Path).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];
}

namespace StableTune.Imaging.Tests;

public sealed class ImageResizeTests
{
    public static TheoryData<string> Names => [.. Interpolation.Names];

    [Theory]
    [MemberData(nameof(Names))]
    public void Resize_ConstantPicture_StaysConstant(string name)
    {
        foreach (var channels in new[] { 3, 4 })
        {
            var image = new PixelImage(37, 23, channels,
                [.. Enumerable.Range(0, 37 * 23).SelectMany(_ => new byte[] { 255, 0, 130, 255 }[..channels])]);
            foreach (var (width, height) in new[] { (1, 1), (18, 50), (100, 3), (74, 46) })
            {
                var resized = ImageResize.Resize(image, width, height, Interpolation.Parse(name));
                Assert.Equal(new PixelSize(width, height), resized.Size);
                for (var i = 0; i < resized.Pixels.Length; i++) Assert.Equal(image.Pixels[i % channels], resized.Pixels[i]);
            }
        }
    }

    [Fact]
    public void Resize_SameSize_IsTheSamePicture()
    {
        var image = new PixelImage(3, 2);
        Assert.Same(image, ImageResize.Resize(image, 3, 2));
    }

    [Fact]
    public void Resize_LanczosWithAlpha_DoesNotLetHiddenColorsThrough()
    {
        // Left half opaque black, right half white but transparent.
        var image = new PixelImage(8, 1, 4,
            [.. Enumerable.Range(0, 8).SelectMany(x => x < 4 ? new byte[] { 0, 0, 0, 255 } : [255, 255, 255, 0])]);
        var resized = ImageResize.Resize(image, 16, 1, Interpolation.Lanczos);
        for (var x = 0; x < 16; x++)
            if (resized.Pixels[(4 * x) + 3] > 0) Assert.Equal(0, resized.Pixels[4 * x]);
    }

    [Theory]
    [InlineData(10, 10, 10, 5, "area")]
    [InlineData(10, 10, 9, 9, "area")]
    [InlineData(10, 10, 11, 5, "lanczos")]
    [InlineData(10, 10, 11, 11, "lanczos")]
    public void For_AnySideGrowing_IsLanczos(int fromWidth, int fromHeight, int width, int height, string name)
        => Assert.Equal(name, Interpolation.For(new(fromWidth, fromHeight), new(width, height)).Name);

    [Fact]
    public void Parse_UnknownName_ListsTheKnownOnes()
    {
        var error = Assert.Throws<ArgumentException>(() => Interpolation.Parse("best"));
        Assert.Contains("best", error.Message, StringComparison.Ordinal);
        Assert.Contains("lanczos4", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 5)]
    [InlineData(5, -1)]
    public void Resize_EmptySize_IsRefused(int width, int height)
        => Assert.Contains($"{width}x{height}",
            Assert.Throws<ArgumentException>(() => ImageResize.Resize(new PixelImage(2, 2), width, height)).Message,
            StringComparison.Ordinal);

    [Fact]
    public void Resize_OnManyThreads_GivesTheSame()
    {
        var image = ImageCases.Load("png_rgb.png");
        var expected = ImageResize.Resize(image, 300, 220).Pixels;
        Parallel.For(0, 64, new ParallelOptions { MaxDegreeOfParallelism = 8 }, _ =>
            Assert.Equal(expected, ImageResize.Resize(ImageCases.Load("png_rgb.png"), 300, 220).Pixels));
    }
}

namespace StableTune.Imaging.Tests;

/// <summary>Our averaging of areas against OpenCV's own.</summary>
public sealed class AreaResizeTests
{
    [Fact]
    public void Area_AnySizes_GivesOpenCvsBits()
    {
        var random = new Random(5);
        for (var round = 0; round < 300; round++)
        {
            var image = Noise(1 + random.Next(160), 1 + random.Next(160), 3 + (round % 2), random);
            AssertSame(image, 1 + random.Next(image.Width), 1 + random.Next(image.Height));
        }
    }

    [Theory]
    [InlineData(2, 2)]
    [InlineData(3, 3)]
    [InlineData(4, 2)]
    [InlineData(1, 2)]
    [InlineData(5, 1)]
    [InlineData(7, 300)]                                                          // beyond sums of 16 bits
    public void Area_WholeFactors_GivesOpenCvsBits(int across, int down)
    {
        var random = new Random(across);
        foreach (var channels in new[] { 3, 4 }) AssertSame(Noise(across * 37, down * 5, channels, random), 37, 5);
    }

    [Fact]
    public void Area_WhiteAndBlack_StayWithinBytes()
    {
        foreach (var value in new byte[] { 0, 255 })
        {
            var image = new PixelImage(2000, 300, 3, [.. Enumerable.Repeat(value, 2000 * 300 * 3)]);
            Assert.All(ImageResize.Resize(image, 3, 7, Interpolation.Area).Pixels, found => Assert.Equal(value, found));
        }
    }

    private static void AssertSame(PixelImage image, int width, int height)
    {
        var found = ImageResize.Resize(image, width, height, Interpolation.Area);
        var expected = image.Size == found.Size ? image : OpenCvCodec.Instance.Resize(image, width, height, CodecResizeMethod.Area);
        Assert.True(expected.Pixels.AsSpan().SequenceEqual(found.Pixels), $"{image.Size} with {image.Channels} channels to {width}x{height}");
    }

    private static PixelImage Noise(int width, int height, int channels, Random random)
    {
        var image = new PixelImage(width, height, channels);
        random.NextBytes(image.Pixels);
        return image;
    }
}

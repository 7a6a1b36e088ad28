namespace StableTune.Imaging.Tests;

public sealed class ImageEdgesTests
{
    /// <summary>A grey square from (8, 6) to (23, 17) on another grey.</summary>
    private static PixelImage Square(byte inside, byte outside, int channels = 3)
    {
        var image = new PixelImage(32, 24, channels);
        image.Pixels.AsSpan().Fill(outside);
        for (var y = 6; y < 18; y++) image.Row(y).Slice(8 * channels, 16 * channels).Fill(inside);
        return image;
    }

    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    public void Canny_OfADrawnSquare_IsItsOutline(int channels)
    {
        var edges = ImageEdges.Canny(Square(200, 40, channels), 32, 224);
        Assert.Equal((32, 24, 3), (edges.Width, edges.Height, edges.Channels));
        var outline = new HashSet<(int, int)>();
        for (var y = 0; y < 24; y++)
            for (var x = 0; x < 32; x++)
            {
                var pixel = edges.Row(y).Slice(3 * x, 3).ToArray();
                Assert.True(pixel is [0, 0, 0] or [255, 255, 255]);
                if (pixel[0] == 255) outline.Add((x, y));
            }

        // The gradient is the same on both sides of the step; the first of two equal ones counts, and corners are cut or not by the
        // direction.
        foreach (var (x, y) in outline) Assert.True(x is 7 or 8 or 23 or 24 || y is 5 or 6 or 17 or 18, $"({x}, {y})");
        for (var y = 8; y < 16; y++) Assert.Equal(2, outline.Count(at => at.Item2 == y));
        for (var x = 10; x < 22; x++) Assert.Equal(2, outline.Count(at => at.Item1 == x));
    }

    [Theory]
    [InlineData(51, 70, 24)]            // the step of 20 levels begins the edge, that of 13 levels continues it
    [InlineData(53, 70, 13)]            // one row more, which still sees some of the stronger step
    [InlineData(51, 120, 0)]
    public void Canny_Thresholds_BeginAndContinueEdges(int low, int high, int rows)
    {
        // Left of column 16 all is 100. A step of n levels has a gradient of 4 n.
        var image = new PixelImage(32, 24);
        image.Pixels.AsSpan().Fill(100);
        for (var y = 0; y < 24; y++) image.Row(y)[(16 * 3)..].Fill((byte)(y < 12 ? 120 : 113));
        var edges = ImageEdges.Canny(image, low, high);
        Assert.Equal(rows, Enumerable.Range(0, 24).Count(y => edges.Row(y)[15 * 3] == 255 || edges.Row(y)[16 * 3] == 255));
        Assert.Equal(rows > 0, edges.Pixels.Contains((byte)255));
    }

    [Fact]
    public void Canny_OfOnePixel_HasNoEdges() => Assert.Equal([0, 0, 0], ImageEdges.Canny(new PixelImage(1, 1), 32, 224).Pixels);

    [Theory]
    [InlineData(-1, 5)]
    [InlineData(double.NaN, 5)]
    [InlineData(5, double.PositiveInfinity)]
    public void Canny_WithThresholdsThatAreNone_IsRefused(double low, double high)
        => Assert.Throws<ArgumentOutOfRangeException>(() => ImageEdges.Canny(new PixelImage(4, 4), low, high));
}

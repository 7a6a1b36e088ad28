namespace StableTune.Imaging.Tests;

/// <summary>Averaging of areas, beside what <see cref="OpenCvParityTests"/> compares.</summary>
public sealed class AreaResizeTests
{
    [Fact]
    public void Area_OfAColumnBeyondThirtyTwoBits_IsItsMean()
    {
        var image = new PixelImage(4000, 3000, 3);
        for (var i = 0; i < image.Pixels.Length; i++) image.Pixels[i] = (byte)(i % 3 == 0 ? 255 : 200);
        Assert.Equal([255, 200, 200], ImageResize.Resize(image, 1, 1, Interpolation.Area).Pixels);
    }

    [Theory]
    [InlineData(60, 40, 17, 13)]
    [InlineData(60, 40, 30, 20)]
    [InlineData(600, 400, 2, 1)]
    public void Area_OfFourChannels_GivesThreeWhereThreeAreWanted(int width, int height, int toWidth, int toHeight)
    {
        var (image, size) = (OpenCvCases.Draw(width, height, 4, 3, 0), new PixelSize(toWidth, toHeight));
        var found = AreaResampler.Resize(PixelView.Of(image), size, new(0, 0, toWidth, toHeight), channels: 3);
        Assert.Equal(ImageResize.Resize(image, toWidth, toHeight, Interpolation.Area).WithoutAlpha().Pixels, found.Pixels);
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
}

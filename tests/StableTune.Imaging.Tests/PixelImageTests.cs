namespace StableTune.Imaging.Tests;

public sealed class PixelImageTests
{
    // Channel 0 is the column, 1 the row, 2 always 9.
    private static PixelImage Numbered(int width, int height)
        => new(width, height, 3, [.. Enumerable.Range(0, width * height)
            .SelectMany(i => new[] { (byte)(i % width), (byte)(i / width), (byte)9 })]);

    [Fact]
    public void Crop_Rectangle_IsCutOut()
    {
        var cut = Numbered(5, 4).Crop(x: 1, y: 2, width: 3, height: 2);
        Assert.Equal([1, 2, 9, 2, 2, 9, 3, 2, 9, 1, 3, 9, 2, 3, 9, 3, 3, 9], cut.Pixels);
    }

    [Theory]
    [InlineData(5, 4, 2, 3, 1, 0)]
    [InlineData(6, 5, 3, 2, 1, 1)]
    public void CenterCrop_OddSurplus_RoundsTheOffsetDown(int width, int height, int cutWidth, int cutHeight, int x, int y)
    {
        var cut = Numbered(width, height).CenterCrop(cutWidth, cutHeight);
        Assert.Equal((x, y, cutWidth, cutHeight), (cut.Pixels[0], cut.Pixels[1], cut.Width, cut.Height));
    }

    [Theory]
    [InlineData(-1, 0, 1, 1)]
    [InlineData(0, 0, 0, 1)]
    [InlineData(1, 0, 5, 1)]
    [InlineData(int.MaxValue, 0, 1, 1)]
    [InlineData(1, 1, int.MaxValue, 1)]
    public void Crop_Outside_IsRefused(int x, int y, int width, int height)
        => Assert.Throws<ArgumentException>(() => Numbered(5, 4).Crop(x, y, width, height));

    [Fact]
    public void CenterCrop_Larger_IsRefused() => Assert.Throws<ArgumentException>(() => Numbered(5, 4).CenterCrop(6, 4));

    [Theory]
    [InlineData(100, 255, 100)]
    [InlineData(100, 0, 7)]
    [InlineData(100, 128, 54)]          // (100 * 128 + 7 * 127) / 255 = 53.68
    [InlineData(255, 1, 8)]             // 7.97
    public void Over_AColour_BlendsByAlpha(byte front, byte alpha, byte expected)
    {
        var result = new PixelImage(1, 1, 4, [front, 7, 200, alpha]).Over(new PixelColor(7, 7, 200));
        Assert.Equal([expected, 7, 200], result.Pixels);
    }

    [Fact]
    public void Over_WithoutAlpha_IsThePictureItself()
    {
        var image = Numbered(2, 2);
        Assert.Same(image, image.Over(PixelColor.White));
    }

    [Fact]
    public void Rotate_AboutAPlace_LeavesThePlaceAndTurnsCounterClockwise()
    {
        var image = new PixelImage(9, 9);
        image.Row(3)[3 * 5] = 200;                                            // two to the right of (3, 3)
        image.Row(3)[3 * 3] = 100;
        var turned = ImageRotation.Rotate(image, 90, 3, 3);
        Assert.Equal((100, 200), (turned.Row(3)[3 * 3], turned.Row(1)[3 * 3]));
        Assert.Equal(ImageRotation.Rotate(image, 30).Pixels, ImageRotation.Rotate(image, 30, 4, 4).Pixels);
    }

    [Fact]
    public void FlipHorizontal_Twice_IsTheSame()
    {
        var image = Numbered(5, 4);
        var flipped = image.FlipHorizontal();
        Assert.Equal([4, 3, 2, 1, 0], Enumerable.Range(0, 5).Select(x => (int)flipped.Pixels[3 * x]));
        Assert.Equal(image.Pixels, flipped.FlipHorizontal().Pixels);
    }

    [Fact]
    public void Oriented_WithAlpha_MovesWholePixels()
    {
        var image = new PixelImage(2, 1, 4, [1, 2, 3, 4, 5, 6, 7, 8]);
        Assert.Equal([5, 6, 7, 8, 1, 2, 3, 4], image.Oriented(3).Pixels);
        Assert.Equal(new PixelSize(1, 2), image.Oriented(6).Size);
        Assert.Throws<ArgumentOutOfRangeException>(() => image.Oriented(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => image.Oriented(9));
    }

    [Fact]
    public void FromFloats_OfToFloats_IsTheSamePicture()
    {
        var image = new PixelImage(16, 16, 3, [.. Enumerable.Range(0, 768).Select(i => (byte)i)]);
        var floats = new float[768];
        image.ToFloats(floats);
        Assert.Equal(image.Pixels, PixelImage.FromFloats(floats, 16, 16).Pixels);
    }

    [Fact]
    public void FromFloats_OutsideTheRange_IsClampedAndRounded()
    {
        float[] values = [-3f, 3f, float.NaN, 0f, -1f, 0.9999f];   // red, green, blue of two pixels each
        Assert.Equal([0, 0, 0, 255, 128, 255], PixelImage.FromFloats(values, 2, 1).Pixels);
    }

    [Fact]
    public void ToFloats_WithAlpha_LeavesItOut()
    {
        var floats = new float[3];
        new PixelImage(1, 1, 4, [255, 0, 255, 7]).ToFloats(floats);
        Assert.Equal([1f, -1f, 1f], floats);
    }

    [Fact]
    public void WrongLengths_AreRefused()
    {
        Assert.Throws<ArgumentException>(() => new PixelImage(2, 2, 3, new byte[11]));
        Assert.Throws<ArgumentException>(() => new PixelImage(2, 2, 2));
        Assert.Throws<ArgumentException>(() => new PixelImage(0, 2));
        Assert.Throws<ArgumentException>(() => new PixelImage(100_000, 100_000));
        Assert.Throws<ArgumentException>(() => Numbered(2, 2).ToFloats(new float[11]));
        Assert.Throws<ArgumentException>(() => Numbered(2, 2).ExtractAlpha(new float[3]));
        Assert.Throws<ArgumentException>(() => PixelImage.FromFloats(new float[13], 2, 2));
    }
}

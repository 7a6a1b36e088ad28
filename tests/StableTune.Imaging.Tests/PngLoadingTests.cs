namespace StableTune.Imaging.Tests;

public sealed class PngLoadingTests
{
    private static readonly ImageLoadOptions s_keepAlpha = new() { KeepAlpha = true };

    [Theory]
    [InlineData(1, new byte[] { 0, 0b1010_0000 }, new byte[] { 255, 0, 255 })]
    [InlineData(2, new byte[] { 0, 0b0001_1000 }, new byte[] { 0, 85, 170 })]
    [InlineData(4, new byte[] { 0, 0x0F, 0x80 }, new byte[] { 0, 255, 136 })]
    [InlineData(8, new byte[] { 0, 1, 2, 200 }, new byte[] { 1, 2, 200 })]
    [InlineData(16, new byte[] { 0, 0, 7, 128, 255, 255, 0 }, new byte[] { 0, 128, 255 })]
    public void Decode_Gray_ScalesFewBitsAndSixteen(int depth, byte[] row, byte[] expected)
    {
        var image = ImageFile.Decode(new PngBuilder(3, 1, depth, 0).Data(row).End());
        Assert.Equal(expected.SelectMany(value => Enumerable.Repeat(value, 3)), image.Pixels);
    }

    [Fact]
    public void Decode_SixteenBitGray_ClipsOnlyWhereThatIsAskedFor()
    {
        var file = new PngBuilder(3, 1, 16, 0).Data(0, 0, 7, 0, 255, 1, 0).End();
        var clips = new ImageLoadOptions { ClipSixteenBitGray = true };
        Assert.Equal([7, 7, 7, 255, 255, 255, 255, 255, 255], ImageFile.Decode(file, clips).Pixels);
        Assert.Equal([7, 7, 7, 255, 255, 255, 255, 255, 255, 255, 255, 255],
            ImageFile.Decode(file, clips with { KeepAlpha = true }).Pixels);
        Assert.Equal([0, 0, 0, 0, 0, 0, 1, 1, 1], ImageFile.Decode(file).Pixels);
    }

    [Fact]
    public void Decode_Background_ShowsWhereAPictureIsTransparent()
    {
        var noise = new PngBuilder(3, 1, 8, 6).Data(0, 200, 13, 99, 0, 40, 50, 60, 128, 1, 2, 3, 255).End();
        var white = new ImageLoadOptions { Background = PixelColor.White };
        Assert.Equal([255, 255, 255, 147, 152, 157, 1, 2, 3], ImageFile.Decode(noise, white).Pixels);
        Assert.Equal([255, 255, 255, 0, 147, 152, 157, 128, 1, 2, 3, 255], ImageFile.Decode(noise, white with { KeepAlpha = true }).Pixels);
        Assert.Equal([200, 13, 99, 40, 50, 60, 1, 2, 3], ImageFile.Decode(noise).Pixels);
        var opaque = new PngBuilder(1, 1, 8, 2).Data(0, 10, 20, 30).End();
        Assert.Equal([10, 20, 30], ImageFile.Decode(opaque, white).Pixels);
    }

    [Fact]
    public void LoadResized_Background_IsUnderThePictureBeforeItIsShrunk()
    {
        using var folder = new StableTune.Testing.TemporaryFolder();
        var path = folder.File("a.png");
        File.WriteAllBytes(path, new PngBuilder(2, 2, 8, 6).Data(0, 0, 0, 0, 0, 9, 9, 9, 0, 0, 0, 0, 0, 0, 100, 100, 100, 255).End());
        var small = ImageFile.LoadResized(path, _ => new(new(1, 1), 0, 0, new(1, 1)), new() { Background = PixelColor.White });
        Assert.Equal((3 * 255 + 100) / 4, small.Pixels[0], 1.0);
    }

    [Fact]
    public void Decode_SixteenBitColor_KeepsTheHighByte()
    {
        byte[] row = [0, 0x12, 0xFF, 0x34, 0x80, 0x56, 0x00, 0x9A, 0xFF];
        Assert.Equal([0x12, 0x34, 0x56], ImageFile.Decode(new PngBuilder(1, 1, 16, 2).Data(row[..7]).End()).Pixels);
        Assert.Equal([0x12, 0x34, 0x56, 0x9A], ImageFile.Decode(new PngBuilder(1, 1, 16, 6).Data(row).End(), s_keepAlpha).Pixels);
        Assert.Equal([0x12, 0x12, 0x12, 0x34], ImageFile.Decode(new PngBuilder(1, 1, 16, 4).Data(row[..5]).End(), s_keepAlpha).Pixels);
    }

    [Fact]
    public void Decode_TransparentColors_DropsOrKeepsAlphaAndNeverTheColorBelow()
    {
        var rgba = new PngBuilder(2, 1, 8, 6).Data(0, 10, 20, 30, 0, 40, 50, 60, 128).End();
        Assert.Equal([10, 20, 30, 40, 50, 60], ImageFile.Decode(rgba).Pixels);
        Assert.Equal([10, 20, 30, 0, 40, 50, 60, 128], ImageFile.Decode(rgba, s_keepAlpha).Pixels);

        var key = new PngBuilder(2, 1, 8, 2).Chunk("tRNS", 0, 10, 0, 20, 0, 30).Data(0, 10, 20, 30, 40, 50, 60).End();
        Assert.Equal([10, 20, 30, 40, 50, 60], ImageFile.Decode(key).Pixels);
        Assert.Equal([10, 20, 30, 0, 40, 50, 60, 255], ImageFile.Decode(key, s_keepAlpha).Pixels);

        var palette = new PngBuilder(2, 1, 8, 3).Chunk("PLTE", 10, 20, 30, 40, 50, 60).Chunk("tRNS", 7).Data(0, 0, 1).End();
        Assert.Equal([10, 20, 30, 40, 50, 60], ImageFile.Decode(palette).Pixels);
        Assert.Equal([10, 20, 30, 7, 40, 50, 60, 255], ImageFile.Decode(palette, s_keepAlpha).Pixels);

        var gray = new PngBuilder(2, 1, 4, 0).Chunk("tRNS", 0, 8).Data(0, 0x8F).End();
        Assert.Equal([136, 136, 136, 0, 255, 255, 255, 255], ImageFile.Decode(gray, s_keepAlpha).Pixels);
        Assert.Equal([136, 136, 136, 255, 255, 255], ImageFile.Decode(gray).Pixels);
    }

    [Fact]
    public void Decode_WithoutAlpha_KeepAlphaGivesOpaque()
        => Assert.Equal([1, 2, 3, 255], ImageFile.Decode(new PngBuilder(1, 1, 8, 2).Data(0, 1, 2, 3).End(), s_keepAlpha).Pixels);

    [Fact]
    public void Decode_WithMetadata_IgnoresItAndAppliesOrientation()
    {
        byte[] exif = [.. "MM\0*"u8, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0];
        var png = new PngBuilder(2, 1, 8, 2).Chunk("iCCP", [.. "broken\0\0"u8]).Chunk("gAMA", 0, 0, 0, 1).Chunk("eXIf", exif)
            .Data(0, 1, 1, 1, 2, 2, 2).Chunk("tEXt", [.. "a\0b"u8]).End();
        var image = ImageFile.Decode(png);
        Assert.Equal(new PixelSize(1, 2), image.Size);
        Assert.Equal([1, 1, 1, 2, 2, 2], image.Pixels);
        Assert.Equal(new PixelSize(2, 1), ImageFile.Decode(png, new() { ApplyExifOrientation = false }).Size);
    }

    public static TheoryData<string, byte[]> Broken => new()
    {
        { "in the middle of its header", new PngBuilder(1, 1, 8, 2).Bytes()[..20] },
        { "before its pixels", new PngBuilder(1, 1, 8, 2).Bytes() },
        { "without an IEND chunk", new PngBuilder(1, 1, 8, 2).Data(0, 1, 2, 3).Bytes() },
        { "no pixels", new PngBuilder(1, 1, 8, 2).End() },
        { "impossible size 0x1", new PngBuilder(0, 1, 8, 2).Data(0).End() },
        { "impossible size", new PngBuilder(-5, 1, 8, 2).Data(0).End() },
        { "gave up", new PngBuilder(1, 1, 3, 2).Data(0, 1, 2, 3).End() },
        { "gave up", new PngBuilder(4, 4, 8, 2).Data(0, 1, 2, 3).End() },
        { "gave up", new PngBuilder(1, 1, 8, 3).Data(0, 0).End() },
        { "IDAT at byte 33 has a wrong checksum", Spoiled(new PngBuilder(1, 1, 8, 2).Data(0, 1, 2, 3).End(), 45) },
        { "IHDR chunk has a wrong checksum", Spoiled(new PngBuilder(1, 1, 8, 2).Data(0, 1, 2, 3).End(), 18) },
        { "does not begin with an IHDR", Spoiled(new PngBuilder(1, 1, 8, 2).Data(0, 1, 2, 3).End(), 12) },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public void Decode_BrokenFile_SaysWhatIsWrong(string fault, byte[] file)
        => Assert.Contains(fault, Assert.Throws<InvalidFileException>(() => ImageFile.Decode(file, name: "x.png")).Message,
            StringComparison.Ordinal);

    private static byte[] Spoiled(byte[] file, int at)
    {
        file[at] ^= 1;
        return file;
    }
}

namespace StableTune.Imaging.Tests;

public sealed class SkiaCodecTests : CodecContract
{
    protected override IImageCodec Codec => SkiaCodec.Instance;

    protected override int FuzzRounds => 400;

    [Theory]
    [InlineData(1, 1)]
    [InlineData(7, 130)]
    [InlineData(33, 64)]
    [InlineData(3000, 65)]
    public void Decode_JpegByStrips_GivesThePixelsOfTheWhole(int width, int height)
    {
        var file = ImageFile.EncodeJpeg(OpenCvCases.Draw(width, height, 3, 7, 2), 90);
        var header = ImageHeader.Read(file);
        Assert.Equal(SkiaCodec.Instance.Decode(file, header, keepAlpha: true).WithoutAlpha().Pixels,
            SkiaCodec.Instance.Decode(file, header, keepAlpha: false).Pixels);
    }

    [Fact]
    public void Decode_ColorProfileAndGamma_ChangeNothing()
    {
        var plain = new PngBuilder(2, 1, 8, 2).Data(0, 10, 100, 200, 7, 8, 9).End();
        var tagged = new PngBuilder(2, 1, 8, 2).Chunk("gAMA", 0, 0, 0x30, 0).Chunk("cHRM", new byte[32]).Chunk("sRGB", 0).Data(0, 10,
            100, 200, 7, 8, 9).End();
        Assert.Equal(SkiaCodec.Instance.Decode(plain, ImageHeader.Read(plain), keepAlpha: false).Pixels,
            SkiaCodec.Instance.Decode(tagged, ImageHeader.Read(tagged), keepAlpha: false).Pixels);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(8)]
    public void DecodeRows_Fraction_HasTheRoundedUpSize(int denominator)
    {
        var file = ImageFile.EncodeJpeg(OpenCvCases.Draw(101, 67, 3, 7, 2), 90);
        var header = ImageHeader.Read(file);
        var size = header.StoredSize.Reduced(denominator);
        var length = 0;
        SkiaCodec.Instance.DecodeRows(file, header, keepAlpha: false, denominator, (y, rows) =>
        {
            Assert.Equal(length, 4 * y * size.Width);
            length += rows.Length;
        });
        Assert.Equal(4 * size.Area, length);
    }
}

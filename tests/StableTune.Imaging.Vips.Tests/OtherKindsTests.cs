using NetVips;
using StableTune.Testing;

namespace StableTune.Imaging.Tests;

/// <summary>TIFF, GIF and AVIF, written by libvips itself.</summary>
public sealed class OtherKindsTests
{
    private static readonly ImageLoadOptions s_options = new() { Codec = VipsCodec.Instance };
    private static readonly PixelImage s_picture = ImageCases.Load("png_rgb.png");

    public static TheoryData<string> Kinds => ["gif", "tiff", "tiff-lzw", "tiff-jpeg", "avif", "avif-lossless", "avif-10bit"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Load_Kind_HasItsSizeAndNearlyItsPixels(string kind)
    {
        var (file, largest, mean) = Encoded(kind);
        Assert.Equal(s_picture.Size, ImageHeader.Read(file).StoredSize);
        Assert.Equal(s_picture.Size, ImageFile.ReadSize(file, s_options));
        ImageCases.AssertClose(s_picture, ImageFile.Decode(file, s_options), largest, mean);
        var withAlpha = ImageFile.Decode(file, s_options with { KeepAlpha = true });
        Assert.Equal(4, withAlpha.Channels);
        Assert.All(Enumerable.Range(0, 100), i => Assert.Equal(255, withAlpha.Pixels[(4 * i) + 3]));
        Assert.Contains("does not read", Assert.Throws<InvalidFileException>(() => ImageFile.Decode(file)).Fault,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Load_SixteenBitTiff_KeepsTheHighByte()
    {
        using var grey = Vips(2, 1, 1, Enums.BandFormat.Ushort, [7, 0, 0x12, 0x34], Enums.Interpretation.Grey16);
        Assert.Equal([0, 0, 0, 0x34, 0x34, 0x34], ImageFile.Decode(grey.TiffsaveBuffer(), s_options).Pixels);
        using var color = Vips(1, 1, 3, Enums.BandFormat.Ushort, [0xFF, 0x12, 0x80, 0x34, 0x00, 0x56], Enums.Interpretation.Rgb16);
        Assert.Equal([0x12, 0x34, 0x56], ImageFile.Decode(color.TiffsaveBuffer(), s_options).Pixels);
    }

    [Fact]
    public void Load_FloatTiff_SaysWhatIsRead()
    {
        using var image = Vips(1, 1, 1, Enums.BandFormat.Float, [0, 0, 0, 0], Enums.Interpretation.Bw);
        Assert.Contains("8 and 16 bits",
            Assert.Throws<InvalidFileException>(() => ImageFile.Decode(image.TiffsaveBuffer(), s_options)).Fault,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Load_TurnedTiff_StandsUpright()
    {
        using var raw = Vips(s_picture);
        using var turned = raw.Mutate(image => image.Set(GValue.GIntType, "orientation", 6));
        var file = turned.TiffsaveBuffer();
        Assert.Equal(s_picture.Size.Transposed, ImageFile.ReadSize(file, s_options));
        Assert.Equal(s_picture.Oriented(6).Pixels, ImageFile.Decode(file, s_options).Pixels);
    }

    [Fact]
    public void Load_TransparentAvif_DropsOrKeepsAlpha()
    {
        var picture = ImageCases.Load("png_rgba.png", keepAlpha: true);
        using var raw = Vips(picture);
        var file = raw.HeifsaveBuffer(lossless: true, compression: Enums.ForeignHeifCompression.Av1, effort: 0);
        Assert.True(ImageHeader.Read(file).HasAlpha);
        var alpha = ImageFile.Decode(file, s_options with { KeepAlpha = true }).Pixels.Where((_, i) => i % 4 == 3);
        Assert.Equal(picture.Pixels.Where((_, i) => i % 4 == 3), alpha);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Decode_DamagedFile_IsAPictureOrRefused(string kind)
    {
        var (random, original) = (new Random(5), Encoded(kind).File);
        var refused = 0;
        for (var round = 0; round < Exhaustive.Runs(100, 5_000); round++)
        {
            try
            {
                ImageFile.Decode(DamagedFiles.Mutate(original, random),
                    s_options with { MaxPixels = 1 << 18, KeepAlpha = round % 3 == 0 });
            }
            catch (InvalidFileException)
            {
                refused++;
            }
        }

        Assert.True(refused > 0);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Decode_CutShort_IsRefused(string kind)
    {
        var file = Encoded(kind).File;
        foreach (var length in new[] { 3, 9, 16, 40, 200, file.Length / 2 })
            Assert.Throws<InvalidFileException>(() => ImageFile.Decode(file.AsMemory(0, length), s_options));
    }

    /// <summary>The losses are those of the encoders, as measured.</summary>
    private static (byte[] File, int Largest, double Mean) Encoded(string kind)
    {
        using var image = Vips(s_picture);
        const Enums.ForeignHeifCompression av1 = Enums.ForeignHeifCompression.Av1;
        return kind switch
        {
            "gif" => (image.GifsaveBuffer(), 42, 4.6),
            "tiff" => (image.TiffsaveBuffer(), 0, 0),
            "tiff-lzw" => (image.TiffsaveBuffer(compression: Enums.ForeignTiffCompression.Lzw), 0, 0),
            "tiff-jpeg" => (image.TiffsaveBuffer(compression: Enums.ForeignTiffCompression.Jpeg, q: 95), 8, 0.7),
            "avif" => (image.HeifsaveBuffer(q: 80, compression: av1, effort: 0), 179, 4.8),
            "avif-10bit" => (image.HeifsaveBuffer(q: 90, compression: av1, effort: 0, bitdepth: 10), 51, 1.7),
            _ => (image.HeifsaveBuffer(lossless: true, compression: av1, effort: 0), 0, 0),
        };
    }

    private static Image Vips(PixelImage picture)
        => Vips(picture.Width, picture.Height, picture.Channels, Enums.BandFormat.Uchar, picture.Pixels, Enums.Interpretation.Srgb);

    private static Image Vips(int width, int height, int bands, Enums.BandFormat format, byte[] values,
        Enums.Interpretation interpretation)
    {
        using var raw = Image.NewFromMemory(values, width, height, bands, format);
        return raw.Copy(interpretation: interpretation);
    }
}

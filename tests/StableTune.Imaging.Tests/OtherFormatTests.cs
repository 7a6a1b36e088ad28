using System.Buffers.Binary;

namespace StableTune.Imaging.Tests;

public sealed class OtherFormatTests
{
    [Fact]
    public void Decode_AnimatedWebP_GivesTheFirstFrameOnItsCanvas()
    {
        var still = File.ReadAllBytes(ImageCases.ImagePath("webp_lossless.webp"));
        var picture = ImageFile.Decode(still);
        var (width, height) = (picture.Width + 10, picture.Height + 8);
        var first = Chunk("ANMF", [.. UInt24(2), .. UInt24(3), .. UInt24(picture.Width - 1), .. UInt24(picture.Height - 1), .. UInt24(100),
            0, .. still[12..]]);
        var second = Chunk("ANMF", new byte[24]);
        byte[] body = [.. "WEBP"u8, .. Chunk("VP8X", [0x12, 0, 0, 0, .. UInt24(width - 1), .. UInt24(height - 1)]),
            .. Chunk("ANIM", new byte[6]), .. first, .. second];

        byte[] file = [.. "RIFF"u8, .. Int32(body.Length), .. body];
        var decoded = ImageFile.Decode(file);
        Assert.Equal(new PixelSize(width, height), decoded.Size);
        Assert.Equal(picture.Pixels, decoded.Crop(4, 6, picture.Width, picture.Height).Pixels);
        Assert.True(decoded.Row(0).IndexOfAnyExcept((byte)0) < 0);
        Assert.Equal(0, ImageFile.Decode(file, new() { KeepAlpha = true }).Pixels[3]);

        byte[] empty = [.. "RIFF"u8, .. Int32(body.Length - first.Length - second.Length), .. body[..^(first.Length + second.Length)]];
        Assert.Contains("animation", Assert.Throws<InvalidFileException>(() => ImageFile.Decode(empty)).Fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Decode_ExtendedWebP_AppliesItsOrientation(bool withPrefix)
    {
        var still = File.ReadAllBytes(ImageCases.ImagePath("webp_lossless.webp"));
        byte[] exif = [.. withPrefix ? "Exif\0\0"u8 : default, .. "II*\0"u8, 8, 0, 0, 0, 1, 0, 0x12, 0x01, 3, 0, 1, 0, 0, 0, 8, 0, 0, 0, 0,
            0, 0, 0];
        byte[] body = [.. "WEBP"u8, .. Chunk("VP8X", [0x08, 0, 0, 0, .. UInt24(149), .. UInt24(109)]), .. still[12..],
            .. Chunk("EXIF", exif)];
        byte[] file = [.. "RIFF"u8, .. Int32(body.Length), .. body];
        Assert.Equal(ImageFile.Decode(still).Oriented(8).Pixels, ImageFile.Decode(file).Pixels);
    }

    [Theory]
    [InlineData(24, false)]
    [InlineData(32, false)]
    [InlineData(24, true)]
    public void Decode_Bmp_ReadsBothRowOrders(int bits, bool topDown)
    {
        byte[] pixel = bits == 32 ? [30, 20, 10, 0, 60, 50, 40, 0] : [30, 20, 10, 60, 50, 40, 0, 0];
        byte[] other = bits == 32 ? [3, 2, 1, 0, 6, 5, 4, 0] : [3, 2, 1, 6, 5, 4, 0, 0];
        var file = Bmp(2, topDown ? -2 : 2, bits, 0, [], topDown ? [.. pixel, .. other] : [.. other, .. pixel]);
        Assert.Equal([10, 20, 30, 40, 50, 60, 1, 2, 3, 4, 5, 6], ImageFile.Decode(file).Pixels);
        // The fourth byte of a plain 32-bit bitmap is no alpha.
        Assert.Equal([10, 20, 30, 255, 40, 50, 60, 255], ImageFile.Decode(file, new() { KeepAlpha = true }).Pixels[..8]);
    }

    [Theory]
    [InlineData(8, new byte[] { 1, 0, 1, 0 })]
    [InlineData(4, new byte[] { 0x10, 0x10, 0, 0 })]
    [InlineData(1, new byte[] { 0b1010_0000, 0, 0, 0 })]
    public void Decode_PaletteBmp_LooksColorsUp(int bits, byte[] row)
        => Assert.Equal([4, 5, 6, 1, 2, 3, 4, 5, 6], ImageFile.Decode(Bmp(3, 1, bits, 2, [3, 2, 1, 0, 6, 5, 4, 0], row)).Pixels);

    [Theory]
    [InlineData(7, 0, "bits per pixel")]
    [InlineData(24, 9, "compression 9")]
    public void Decode_UnknownBmp_SaysWhatIsUnknown(int bits, int compression, string fault)
    {
        var file = Bmp(1, 1, bits, 0, [], new byte[8]);
        file[30] = (byte)compression;
        Assert.Contains(fault, Assert.Throws<InvalidFileException>(() => ImageFile.Decode(file)).Fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Decode_OtherFormats_NeverReachTheCodec()
    {
        byte[][] files = [[.. "P6\n1 1\n255\n"u8, 1, 2, 3], [.. "RIFF"u8, .. new byte[4], .. "WAVE"u8, .. new byte[20]],
            [0, 0, 0, 20, .. "ftypheic"u8, .. new byte[30]]];
        foreach (var file in files)
            Assert.Contains("no PNG, JPEG, WebP, BMP, GIF, TIFF or AVIF",
                Assert.Throws<InvalidFileException>(() => ImageFile.Decode(file, new() { Codec = new NoCodec() })).Fault,
                StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(new byte[] { 71, 73, 70, 56, 57, 97, 5, 0, 4, 0, 0, 0, 0 },
        "it is a GIF file, which NoCodec does not read: it reads PNG and JPEG")]
    [InlineData(new byte[] { 73, 73, 42, 0, 8, 0, 0, 0, 2, 0, 0, 1, 3, 0, 1, 0, 0, 0, 5, 0, 0, 0, 1, 1, 3, 0, 1, 0, 0, 0, 4, 0, 0, 0 },
        "it is a TIFF file, which NoCodec does not read")]
    public void Decode_KindThatTheCodecDoesNotRead_IsRefusedByName(byte[] file, string fault)
    {
        var options = new ImageLoadOptions { Codec = new NoCodec { Formats = [ImageFormat.Png, ImageFormat.Jpeg] } };
        Assert.Equal(new PixelSize(5, 4), ImageHeader.Read(file).StoredSize);
        Assert.StartsWith(fault, Assert.Throws<InvalidFileException>(() => ImageFile.Decode(file, options)).Fault,
            StringComparison.Ordinal);
        Assert.StartsWith(fault, Assert.Throws<InvalidFileException>(() => ImageFile.ReadSize(file, options)).Fault,
            StringComparison.Ordinal);
        Assert.Contains("SkiaCodec does not read", Assert.Throws<InvalidFileException>(() => ImageFile.Decode(file)).Fault,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Decode_OwnCodec_GetsCleanFileAndHeader()
    {
        var codec = new NoCodec();
        var image = ImageFile.Load(ImageCases.ImagePath("jpeg_exif6.jpg"), new() { Codec = codec });
        Assert.Equal(new PixelSize(48, 64), image.Size);   // turned by us
        Assert.Equal((ImageFormat.Jpeg, new PixelSize(64, 48), 6),
            (codec.Header!.Format, codec.Header.StoredSize, codec.Header.Orientation));
        Assert.True(codec.File.AsSpan().IndexOf("Exif"u8) < 0 && codec.File.AsSpan().EndsWith((ReadOnlySpan<byte>)[0xFF, 0xD9]));
        Assert.Equal([50], ImageFile.EncodeJpeg(image, 50, codec));
    }

    private static byte[] Bmp(int width, int height, int bits, int colors, byte[] palette, byte[] rows)
    {
        var offset = 54 + palette.Length;
        return [.. "BM"u8, .. Int32(offset + rows.Length), .. Int32(0), .. Int32(offset), .. Int32(40), .. Int32(width), .. Int32(height),
            1, 0, (byte)bits, 0, .. Int32(0), .. Int32(rows.Length), .. Int32(0), .. Int32(0), .. Int32(colors), .. Int32(0), .. palette,
                .. rows];
    }

    private static byte[] Chunk(string type, byte[] content)
        => [.. System.Text.Encoding.ASCII.GetBytes(type), .. Int32(content.Length), .. content, .. new byte[content.Length & 1]];

    private static byte[] Int32(int value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        return bytes;
    }

    private static byte[] UInt24(int value) => Int32(value)[..3];

    private sealed class NoCodec : IImageCodec
    {
        internal ImageHeader? Header { get; private set; }

        internal byte[] File { get; private set; } = [];

        public IReadOnlyCollection<ImageFormat> Formats { get; init; } = [ImageFormat.Png, ImageFormat.Jpeg, ImageFormat.WebP,
            ImageFormat.Bmp];

        public PixelImage Decode(ReadOnlySpan<byte> file, ImageHeader header, bool keepAlpha)
        {
            (File, Header) = (file.ToArray(), header);
            return new(header.StoredSize.Width, header.StoredSize.Height);
        }

        public byte[] Encode(PixelImage image, ImageFormat format, int quality) => [(byte)quality];
    }
}

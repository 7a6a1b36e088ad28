using System.Buffers.Binary;
using StableTune.Testing;

namespace StableTune.Imaging.Tests;

/// <summary>Headers of the kinds that the default codec does not read.</summary>
public sealed class HeaderTests
{
    private static byte[] Size => Box("ispe", [0, 0, 0, 0, 0, 0, 0, 90, 0, 0, 0, 70]);

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, true)]
    public void FurtherPictures_OfAnAnimation_AreSeen(byte frames, bool several)
    {
        var png = new PngBuilder(1, 1, 8, 2).Chunk("acTL", 0, 0, 0, frames, 0, 0, 0, 0).Data(0, 1, 2, 3).End();
        Assert.Equal(several, ImageHeader.Read(png).HasFurtherPictures);

        // A frame of one pixel with a colour table of its own, and a comment before each.
        byte[] frame = [0x21, 0xFE, 2, 65, 66, 0, 0x2C, 0, 0, 0, 0, 1, 0, 1, 0, 0x80, 1, 2, 3, 4, 5, 6, 2, 2, 0x44, 1, 0];
        byte[] gif = [.. "GIF89a"u8, 1, 0, 1, 0, 0x80, 0, 0, 9, 9, 9, 8, 8, 8, .. Enumerable.Repeat(frame, frames).SelectMany(one => one),
            0x3B];
        Assert.Equal(several, ImageHeader.Read(gif).HasFurtherPictures);
        Assert.False(ImageHeader.Read(gif.AsMemory(0, 20)).HasFurtherPictures);

        byte[] chunk = [.. "ANMF"u8, 16, 0, 0, 0, .. new byte[16]];
        byte[] chunks = [.. "VP8X"u8, 10, 0, 0, 0, 2, 0, 0, 0, .. new byte[6], .. Enumerable.Repeat(chunk, frames).SelectMany(one => one)];
        byte[] webp = [.. "RIFF"u8, (byte)(4 + chunks.Length), 0, 0, 0, .. "WEBP"u8, .. chunks];
        Assert.Equal(several, ImageHeader.Read(webp).HasFurtherPictures);
    }

    [Fact]
    public void Avif_Size_IsThePrimaryItems()
    {
        var other = Box("ispe", [0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 7]);
        Assert.Equal(new PixelSize(90, 70), ImageHeader.Read(Avif([other, Size], [2])).StoredSize);
        Assert.Equal(ImageFormat.Avif, ImageHeader.Read(Avif([Size], [1])).Format);
        Assert.Contains("0x0", Assert.Throws<InvalidFileException>(() => ImageHeader.Read(Avif([other], []))).Fault,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 90, 70)]
    [InlineData(1, 70, 90)]
    [InlineData(2, 90, 70)]
    [InlineData(3, 70, 90)]
    public void Avif_Rotation_TurnsTheSize(byte quarters, int width, int height)
        => Assert.Equal(new PixelSize(width, height), ImageHeader.Read(Avif([Size, Box("irot", [quarters])], [1, 2])).StoredSize);

    [Fact]
    public void Avif_CleanAperture_CutsTheSize()
    {
        var aperture = Box("clap", [0, 0, 0, 80, 0, 0, 0, 1, 0, 0, 0, 120, 0, 0, 0, 2, .. new byte[16]]);
        Assert.Equal(new PixelSize(80, 60), ImageHeader.Read(Avif([Size, aperture], [1, 2])).StoredSize);
        Assert.Equal(new PixelSize(60, 80), ImageHeader.Read(Avif([Size, aperture, Box("irot", [1])], [1, 2, 3])).StoredSize);
    }

    [Fact]
    public void Avif_AlphaAndDepth_AreSeen()
    {
        var alpha = Box("auxC", [0, 0, 0, 0, .. "urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0"u8]);
        var header = ImageHeader.Read(Avif([Size, Box("pixi", [0, 0, 0, 0, 3, 10, 10, 10]), alpha], [1, 2]));
        Assert.Equal((10, true), (header.BitsPerChannel, header.HasAlpha));
        Assert.False(ImageHeader.Read(Avif([Size], [1])).HasAlpha);
    }

    [Fact]
    public void Avif_OtherBrand_IsNone()
        => Assert.Contains("it is no PNG", Assert.Throws<InvalidFileException>(() => ImageHeader.Read(Avif([Size], [1], "heic"))).Fault,
            StringComparison.Ordinal);

    [Fact]
    public void Tiff_BothByteOrders_AreRead()
    {
        byte[] little = [.. "II*\0"u8, 8, 0, 0, 0, 3, 0, 0, 1, 4, 0, 1, 0, 0, 0, 90, 0, 0, 0, 1, 1, 3, 0, 1, 0, 0, 0, 70, 0, 0, 0, 18, 1,
            3, 0, 1, 0, 0, 0, 6, 0, 0, 0];
        byte[] big = [.. "MM\0*"u8, 0, 0, 0, 8, 0, 2, 1, 0, 0, 3, 0, 0, 0, 1, 0, 90, 0, 0, 1, 1, 0, 3, 0, 0, 0, 1, 0, 70, 0, 0];
        Assert.Equal((new PixelSize(90, 70), 6), (ImageHeader.Read(little).StoredSize, ImageHeader.Read(little).Orientation));
        Assert.Equal(new PixelSize(90, 70), ImageHeader.Read(big).StoredSize);
        Assert.Contains("impossible size",
            Assert.Throws<InvalidFileException>(() => ImageHeader.Read((byte[])[.. "II*\0"u8, 8, 0, 0, 0, 0, 0])).Fault,
            StringComparison.Ordinal);
    }

    /// <summary>Whatever the bytes say, the answer is a header or a refusal, at once.</summary>
    [Fact]
    public void Read_DamagedHeaders_GiveAHeaderOrAreRefused()
    {
        var random = new Random(2);
        byte[][] originals = [Avif([Size, Box("irot", [1]), Box("clap", new byte[32])], [1, 2, 3]), [.. "GIF89a"u8, 5, 0, 4, 0, 0, 0, 0],
            [.. "II*\0"u8, 8, 0, 0, 0, 2, 0, 0, 1, 4, 0, 1, 0, 0, 0, 90, 0, 0, 0, 1, 1, 3, 0, 1, 0, 0, 0, 70, 0, 0, 0]];
        for (var round = 0; round < Exhaustive.Runs(5_000, 200_000); round++)
        {
            var file = DamagedFiles.Mutate(originals[round % originals.Length], random);
            var error = Record.Exception(() => ImageHeader.Read(file));
            Assert.True(error is null or InvalidFileException, error?.ToString());
        }
    }

    private static byte[] Avif(byte[][] properties, byte[] associated, string brand = "avif")
    {
        byte[] order = [0, 0, 0, 0, 0, 0, 0, 1, 0, 7, (byte)associated.Length, .. associated];
        var meta = Box("meta",
            [0, 0, 0, 0, .. Box("pitm", [0, 0, 0, 0, 0, 7]),
            .. Box("iprp", [.. Box("ipco", [.. properties.SelectMany(property => property)]), .. Box("ipma", order)])]);
        return [.. Box("ftyp", [.. System.Text.Encoding.ASCII.GetBytes(brand), 0, 0, 0, 0, .. "mif1"u8]), .. meta];
    }

    private static byte[] Box(string type, byte[] content)
    {
        var length = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(length, content.Length + 8);
        return [.. length, .. System.Text.Encoding.ASCII.GetBytes(type), .. content];
    }
}

using System.Buffers.Binary;
using StableTune.Testing;

namespace StableTune.Imaging.Tests;

public sealed class ImageFileTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public void Load_ExifOrientation_StandsUpright(int orientation)
    {
        var name = $"jpeg_exif{orientation}.jpg";
        var (stored, upright) = (ImageCases.Load(name), ImageFile.Load(ImageCases.ImagePath(name)));
        Assert.Equal(orientation, ImageHeader.Read(ImageCases.ImagePath(name)).Orientation);
        Assert.Equal(ImageHeader.ReadSize(ImageCases.ImagePath(name)), upright.Size);
        // EXIF says which edges of the upright picture the stored first row and first column are.
        (int X, int Y) At(int x, int y) => orientation switch
        {
            1 => (x, y), 2 => (63 - x, y), 3 => (63 - x, 47 - y), 4 => (x, 47 - y),
            5 => (y, x), 6 => (47 - y, x), 7 => (47 - y, 63 - x), _ => (y, 63 - x),
        };
        for (var y = 0; y < 48; y++)
            for (var x = 0; x < 64; x++)
            {
                var (atX, atY) = At(x, y);
                Assert.True(stored.Row(y).Slice(3 * x, 3).SequenceEqual(upright.Row(atY).Slice(3 * atX, 3)),
                    $"stored ({x}, {y}) is not at ({atX}, {atY})");
            }
    }

    [Theory]
    [InlineData("bild 日本語 ü.png")]
    [InlineData("UPPER.JPG")]
    [InlineData("no extension")]
    [InlineData("a.txt")]
    public void Load_AnyName_GoesByTheContent(string name)
    {
        using var folder = new TemporaryFolder();
        File.Copy(ImageCases.ImagePath("png_small.png"), folder.File(name));
        Assert.Equal(ImageCases.Load("png_small.png").Pixels, ImageFile.Load(folder.File(name)).Pixels);
        Assert.Equal(new PixelSize(90, 70), ImageHeader.ReadSize(folder.File(name)));
    }

    [Fact]
    public void Load_MissingFile_IsAnIoException()
        => Assert.IsType<FileNotFoundException>(
            Record.Exception(() => ImageFile.Load(Path.Combine(Path.GetTempPath(), "no such file.png"))));

    [Fact]
    public void Load_AboveTheLimit_IsRefusedFromTheHeader()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder.File("bomb.png"), new PngBuilder(1_000_000, 1_000_000, 8, 2).Data(0).End());
        var before = GC.GetAllocatedBytesForCurrentThread();
        var error = Assert.Throws<InvalidFileException>(() => ImageFile.Load(folder.File("bomb.png")));
        Assert.Contains("1000000x1000000", error.Message, StringComparison.Ordinal);
        Assert.Contains("MaxPixels", error.Message, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);

        var path = ImageCases.ImagePath("png_small.png");
        Assert.Throws<InvalidFileException>(() => ImageFile.Load(path, new() { MaxPixels = (90 * 70) - 1 }));
        Assert.Equal(new PixelSize(90, 70), ImageFile.Load(path, new() { MaxPixels = 90 * 70 }).Size);
        Assert.Contains("MaxPixels", Assert.Single(new ImageLoadOptions { MaxPixels = 0 }.Validate()).Option, StringComparison.Ordinal);
    }

    [Fact]
    public void SavePng_RoundTrip_KeepsPixelsAndTexts()
    {
        using var folder = new TemporaryFolder();
        var texts = new Dictionary<string, string> { ["parameters"] = "a frog\nSteps: 20, Größe: 64x64", ["note"] = "カエル" };
        foreach (var keepAlpha in new[] { false, true })
        {
            var image = ImageCases.Load("png_rgba.png", keepAlpha);
            var path = folder.File("sub", "x.png");
            ImageFile.SavePng(path, image, texts);
            Assert.Equal(image.Pixels, ImageFile.Load(path, new() { KeepAlpha = keepAlpha }).Pixels);
            Assert.Equal(texts, PngText.Read(path));
            Assert.Null(PngFile.FindDamage(File.ReadAllBytes(path)));
            Assert.Single(Directory.GetFiles(folder.File("sub")));
        }
    }

    [Theory]
    [InlineData("", "x")]
    [InlineData(" a", "x")]
    [InlineData("a\nb", "x")]
    [InlineData("カ", "x")]
    [InlineData("a", "x\0y")]
    public void EncodePng_BadText_IsRefused(string keyword, string text)
        => Assert.Throws<ArgumentException>(() =>
            ImageFile.EncodePng(new PixelImage(1, 1), new Dictionary<string, string> { [keyword] = text }));

    [Fact]
    public void SaveJpeg_Quality_IsCloserAndLargerWhenHigher()
    {
        using var folder = new TemporaryFolder();
        var image = ImageCases.Load("jpeg_444.jpg");
        double Error(int quality)
        {
            ImageFile.SaveJpeg(folder.File($"{quality}.jpg"), image, quality);
            var loaded = ImageFile.Load(folder.File($"{quality}.jpg"));
            return image.Pixels.Zip(loaded.Pixels, (a, b) => Math.Abs(a - b)).Average();
        }

        var (low, high) = (Error(30), Error(98));
        Assert.True(low > 1.5 * high, $"mean error at quality 98: {high}, at 30: {low}");
        Assert.True(new FileInfo(folder.File("98.jpg")).Length > 2 * new FileInfo(folder.File("30.jpg")).Length);
        Assert.Equal(new PixelSize(120, 140),
            ImageFile.Decode(ImageFile.EncodeJpeg(ImageCases.Load("png_rgba.png", keepAlpha: true))).Size);
        Assert.Throws<ArgumentOutOfRangeException>(() => ImageFile.EncodeJpeg(image, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => ImageFile.EncodeJpeg(image, 101));
    }

    [Theory]
    [InlineData("jpeg_baseline.jpg")]
    [InlineData("jpeg_progressive.jpg")]
    [InlineData("webp_lossy.webp")]
    [InlineData("webp_lossless.webp")]
    [InlineData("webp_alpha.webp")]
    [InlineData("png_interlaced.png")]
    [InlineData("bmp.bmp")]
    public void Decode_TruncatedAnywhere_IsRefused(string name)
    {
        var file = File.ReadAllBytes(ImageCases.ImagePath(name));
        foreach (var length in new[] { 1, 2, 3, 11, 12, 20, 29, 30, 100, file.Length / 2, file.Length - 100, file.Length - 3,
            file.Length - 2, file.Length - 1 })
            Assert.Throws<InvalidFileException>(() => ImageFile.Decode(file.AsMemory(0, length)));
        Assert.NotNull(ImageFile.Decode(file));
    }

    [Fact]
    public void Decode_BytesAfterTheEnd_AreIgnored()
    {
        foreach (var name in new[] { "jpeg_baseline.jpg", "webp_lossy.webp", "png_rgb.png", "bmp.bmp" })
            Assert.Equal(ImageCases.Load(name).Pixels,
                ImageFile.Decode((byte[])[.. File.ReadAllBytes(ImageCases.ImagePath(name)), .. new byte[1000]]).Pixels);
    }

    [Fact]
    public void ReadSize_NeedsOneWindowOfTheFile()
    {
        using var folder = new TemporaryFolder();
        foreach (var name in new[] { "jpeg_exif6.jpg", "png_rgb.png", "webp_alpha.webp", "bmp.bmp" })
        {
            var whole = File.ReadAllBytes(ImageCases.ImagePath(name));
            // The first kilobyte is enough, and nothing as large as the picture is allocated beside the one window.
            var cut = folder.File(name);
            File.WriteAllBytes(cut, whole[..1024]);
            var size = ImageHeader.ReadSize(cut);
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 500; i++) Assert.Equal(size, ImageHeader.ReadSize(ImageCases.ImagePath(name)));
            Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / 500, 1024, 4096);
        }
    }

    [Fact]
    public void Decode_LyingHeader_IsRefused()
    {
        var jpeg = File.ReadAllBytes(ImageCases.ImagePath("jpeg_baseline.jpg"));
        var second = jpeg.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xFF, 0xC0]);
        BinaryPrimitives.WriteUInt16BigEndian(jpeg.AsSpan(second + 5), 0);
        Assert.Contains("impossible size 170x0", Assert.Throws<InvalidFileException>(() => ImageFile.Decode(jpeg)).Fault,
            StringComparison.Ordinal);

        var bmp = File.ReadAllBytes(ImageCases.ImagePath("bmp.bmp"));
        BinaryPrimitives.WriteInt32LittleEndian(bmp.AsSpan(22), 81);
        Assert.Contains("truncated", Assert.Throws<InvalidFileException>(() => ImageFile.Decode(bmp)).Fault, StringComparison.Ordinal);
    }
}

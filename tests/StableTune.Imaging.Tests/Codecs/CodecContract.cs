using System.Buffers.Binary;
using System.Text.Json;
using StableTune.Testing;

namespace StableTune.Imaging.Tests;

/// <summary>What every codec must do; a derived class names the codec, and how far it may be from the reference.</summary>
public abstract class CodecContract
{
    /// <summary>Each takes another way through a decoder.</summary>
    internal static readonly string[] VariedNames =
    [
        "jpeg_exif6.jpg", "jpeg_progressive.jpg", "jpeg_cmyk.jpg", "png_gray16.png", "png_palette_transparent.png", "tiny_odd.png",
        "webp_alpha.webp", "webp_lossless.webp", "webp_lossy.webp", "bmp.bmp",
    ];

    protected abstract IImageCodec Codec { get; }

    /// <summary>Damaged files of each kind in the ordinary run.</summary>
    protected virtual int FuzzRounds => 60;

    /// <summary>How far a fixture's pixels may be from the reference's: at most, and on average. Exact unless said otherwise.</summary>
    protected virtual (int Largest, double Mean) Bound(string name) => (0, 0);

    public static IEnumerable<object[]> Good => ImageCases.Names("loading", Name, item => item.TryGetProperty("decoded_shape", out _));

    public static IEnumerable<object[]> Bad => ImageCases.Names("loading", Name, item => !item.TryGetProperty("decoded_shape", out _));

    public static TheoryData<string> Varied => [.. VariedNames];

    private ImageLoadOptions Options => new() { Codec = Codec, ApplyExifOrientation = false, ClipSixteenBitGray = true };

    [Theory]
    [MemberData(nameof(Good))]
    public void Load_Fixture_IsAsNearToTheReferenceAsStated(string name)
    {
        var expected = ImageCases.Picture("decoded/" + name);
        var image = ImageFile.Load(ImageCases.ImagePath(name), Options);
        Assert.Equal(ImageCases.Find("loading", Name, name).Size("stored_size"), image.Size);
        var (largest, mean) = Bound(name);
        ImageCases.AssertClose(expected, image.Crop(0, 0, expected.Width, expected.Height), largest, mean);
    }

    [Theory]
    [MemberData(nameof(Good))]
    public void Load_WithAlpha_GivesTheSameColors(string name)
    {
        var path = ImageCases.ImagePath(name);
        var (image, withAlpha) = (ImageFile.Load(path, Options), ImageFile.Load(path, Options with { KeepAlpha = true }));
        Assert.Equal(image.Pixels, withAlpha.WithoutAlpha().Pixels);
        Assert.Equal(ImageFile.Load(path, new() { KeepAlpha = true, ApplyExifOrientation = false }).Pixels.Where((_, i) => i % 4 == 3),
            withAlpha.Pixels.Where((_, i) => i % 4 == 3));
    }

    [Theory]
    [MemberData(nameof(Good))]
    public void LoadResized_Fixture_GivesThePixelsOfItsStages(string name)
    {
        foreach (var options in new[] { Options, Options with { KeepAlpha = true }, Options with { ApplyExifOrientation = true } })
        {
            var whole = ImageFile.Load(ImageCases.ImagePath(name), options);
            var size = new PixelSize(Math.Max(1, whole.Width * 2 / 5), Math.Max(1, whole.Height * 3 / 7));
            var expected = ImageResize.Resize(whole, size.Width, size.Height);
            ImageCases.AssertClose(expected, ImageFile.LoadResized(ImageCases.ImagePath(name), _ => new(size, 0, 0, size), options),
                largest: 0, mean: 0);
        }
    }

    [Theory]
    [MemberData(nameof(Bad))]
    public void Load_BrokenFixture_NamesTheFault(string name)
    {
        var expected = Assert.Throws<InvalidFileException>(() => ImageFile.Load(ImageCases.ImagePath(name)));
        Assert.Equal(expected.Message,
            Assert.Throws<InvalidFileException>(() => ImageFile.Load(ImageCases.ImagePath(name), Options)).Message);
    }

    [Theory]
    [MemberData(nameof(Varied))]
    public void Decode_DamagedFile_IsAPictureOrRefused(string name)
    {
        var original = File.ReadAllBytes(ImageCases.ImagePath(name));
        var random = new Random(name.Length);
        var options = Options with { MaxPixels = 1 << 18 };
        var (loaded, refused) = (0, 0);
        for (var round = 0; round < Exhaustive.Runs(FuzzRounds, 10_000); round++)
        {
            var file = DamagedFiles.Mutate(original, random);
            if (name.EndsWith(".png", StringComparison.Ordinal) && round % 2 == 0) DamagedFiles.RepairChecksums(file);
            try
            {
                var image = ImageFile.Decode(file, options with { KeepAlpha = round % 3 == 0 });
                Assert.Equal(image.Width * image.Height * image.Channels, image.Pixels.Length);
                loaded++;
            }
            catch (InvalidFileException)
            {
                refused++;
            }
        }

        Assert.True(refused > 0, $"{name}: {loaded} loaded, {refused} refused");
    }

    [Theory]
    [MemberData(nameof(Varied))]
    public void Decode_CutShort_IsRefused(string name)
    {
        var file = File.ReadAllBytes(ImageCases.ImagePath(name));
        foreach (var length in new[] { 1, 12, 30, 100, file.Length / 2, file.Length - 3, file.Length - 1 })
            Assert.Throws<InvalidFileException>(() => ImageFile.Decode(file.AsMemory(0, Math.Min(length, file.Length - 1)), Options));
        Assert.NotNull(ImageFile.Decode(file, Options));
    }

    /// <summary>Passes of the interlacing are empty then, which decoders forget.</summary>
    [Fact]
    public void Decode_NarrowInterlacedPng_HasTheReferencesPixels()
    {
        for (var width = 1; width <= 9; width++)
            for (var height = 1; height <= 9; height++)
            {
                var file = InterlacedGray(width, height);
                Assert.Equal(Enumerable.Range(0, width * height).SelectMany(i => Enumerable.Repeat((byte)(i * 3), 3)),
                    ImageFile.Decode(file, Options).Pixels);
            }
    }

    /// <summary>A decoder that waits for the rest of the pixels would wait for ever.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Decode_PngWithTooFewPixels_IsRefused(bool interlaced)
    {
        var file = new PngBuilder(20, 20, 8, 0, interlaced).Data(new byte[30]).End();
        Assert.Throws<InvalidFileException>(() => ImageFile.Decode(file, Options));
    }

    [Fact]
    public void Decode_SizeBeyondTheLimit_IsRefusedFromTheHeader()
    {
        byte[][] files = [new PngBuilder(20_000, 20_000, 8, 2).Data(0).End(), new PngBuilder(60_000, 60_000, 1, 0).Data(0).End(),
            WithFrame(16_000, 16_000)];
        foreach (var file in files)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            Assert.Contains("MaxPixels", Assert.Throws<InvalidFileException>(() => ImageFile.Decode(file, Options)).Message,
                StringComparison.Ordinal);
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        }
    }

    [Fact]
    public void Decode_SecondFrameHeader_ChangesNoSize()
    {
        var good = File.ReadAllBytes(ImageCases.ImagePath("jpeg_baseline.jpg"));
        var frame = good.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xFF, 0xC0]);
        var length = 2 + BinaryPrimitives.ReadUInt16BigEndian(good.AsSpan(frame + 2));
        byte[] second = good[frame..(frame + length)];
        BinaryPrimitives.WriteUInt16BigEndian(second.AsSpan(5), 13_000);
        BinaryPrimitives.WriteUInt16BigEndian(second.AsSpan(7), 13_000);
        byte[] file = [.. good[..(frame + length)], .. second, .. good[(frame + length)..]];
        try
        {
            Assert.Equal(ImageHeader.Read(good).StoredSize, ImageFile.Decode(file, Options).Size);
        }
        catch (InvalidFileException)
        {
        }
    }

    [Fact]
    public void Decode_OnManyThreads_GivesTheSame()
    {
        var files = VariedNames.ToDictionary(name => name, name => File.ReadAllBytes(ImageCases.ImagePath(name)));
        var expected = files.ToDictionary(file => file.Key, file => ImageFile.Decode(file.Value, Options).Pixels);
        Parallel.For(0, 120, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i =>
        {
            var name = VariedNames[i % VariedNames.Length];
            Assert.Equal(expected[name], ImageFile.Decode(files[name], Options).Pixels);
        });
    }

    [Fact]
    public void Encode_Png_KeepsEveryPixel()
    {
        foreach (var channels in new[] { 3, 4 })
        {
            var image = new PixelImage(61, 43, channels);
            new Random(channels).NextBytes(image.Pixels);
            var decoded = ImageFile.Decode(ImageFile.EncodePng(image, codec: Codec), Options with { KeepAlpha = channels == 4 });
            Assert.Equal(image.Pixels, decoded.Pixels);
        }
    }

    [Fact]
    public void Encode_Jpeg_HalvesColorsAndGrowsWithItsQuality()
    {
        var image = ImageCases.Load("jpeg_444.jpg");
        var (low, high) = (ImageFile.EncodeJpeg(image, 30, Codec), ImageFile.EncodeJpeg(image, 98, Codec));
        Assert.True(high.Length > 2 * low.Length);
        var frame = high.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xFF, 0xC0]);
        Assert.Equal(0x22, high[frame + 11]);                                   // the first component is twice as fine in both directions
        Assert.Equal(image.Size, ImageFile.Decode(high, Options).Size);
        Assert.Throws<ArgumentOutOfRangeException>(() => ImageFile.EncodeJpeg(image, 0, Codec));
        Assert.Throws<ArgumentOutOfRangeException>(() => ImageFile.EncodeJpeg(image, 101, Codec));
        Assert.Throws<ArgumentException>(() => Codec.Encode(image, ImageFormat.WebP, 90));
    }

    private static byte[] InterlacedGray(int width, int height)
    {
        (int X, int Y, int StepX, int StepY)[] passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
            (1, 0, 2, 2), (0, 1, 1, 2)];
        var rows = new List<byte>();
        foreach (var (firstX, firstY, stepX, stepY) in passes)
            for (var y = firstY; y < height && firstX < width; y += stepY)
            {
                rows.Add(0);
                for (var x = firstX; x < width; x += stepX) rows.Add((byte)(((y * width) + x) * 3));
            }

        return new PngBuilder(width, height, 8, 0, interlaced: true).Data([.. rows]).End();
    }

    /// <summary>A JPEG whose header gives another size.</summary>
    private static byte[] WithFrame(ushort width, ushort height)
    {
        var file = File.ReadAllBytes(ImageCases.ImagePath("jpeg_baseline.jpg"));
        var frame = file.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xFF, 0xC0]);
        BinaryPrimitives.WriteUInt16BigEndian(file.AsSpan(frame + 5), height);
        BinaryPrimitives.WriteUInt16BigEndian(file.AsSpan(frame + 7), width);
        return file;
    }

    private static string Name(JsonElement item) => item.Text("image");
}

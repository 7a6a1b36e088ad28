using StableTune.Testing;

namespace StableTune.Imaging.Tests;

/// <summary>Loading, resizing and cutting in one call: the exact way to the bit, the fast way within its bounds.</summary>
public sealed class LoadResizedTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Good => [.. Names()];

    public static TheoryData<string> Jpegs => [.. Names().Where(name => name.EndsWith(".jpg", StringComparison.Ordinal))];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Good))]
    public void LoadResized_GivesThePixelsOfItsStages(string name)
    {
        foreach (var options in new ImageLoadOptions[] { new(), new() { KeepAlpha = true }, new() { ApplyExifOrientation = false } })
        {
            var path = ImageCases.ImagePath(name);
            var whole = ImageFile.Load(path, options);
            foreach (var (size, interpolation) in Sizes(whole.Size))
            {
                var (width, height) = (Math.Max(1, size.Width - 3), Math.Max(1, size.Height / 2));
                var fit = new ImageFit(size, size.Width - width, size.Height - height, new(width, height), interpolation);
                var expected = ImageResize.Resize(whole, size.Width, size.Height, interpolation).Crop(fit.Left, fit.Top, width, height);
                var found = ImageFile.LoadResized(path, upright =>
                    upright == whole.Size ? fit : throw new InvalidOperationException($"told {upright}"), options);
                ImageCases.AssertClose(expected, found, 0, 0);
            }
        }
    }

    [Theory]
    [InlineData("corrupted.png")]
    [InlineData("not_an_image.jpg")]
    [InlineData("truncated.jpg")]
    [InlineData("zero_byte.png")]
    public void LoadResized_BrokenFixture_FailsAsLoadDoes(string name)
    {
        var path = ImageCases.ImagePath(name);
        var expected = Assert.Throws<InvalidFileException>(() => ImageFile.Load(path));
        foreach (var fast in new[] { false, true })
            Assert.Equal(expected.Message, Assert.Throws<InvalidFileException>(() =>
                ImageFile.LoadResized(path, Half, new() { FastDecoding = fast })).Message);
    }

    [Fact]
    public void LoadResized_DamagedJpeg_FailsWhereLoadFails_AndGivesItsPixelsWhereNot()
    {
        var (random, good, failed) = (new Random(3), File.ReadAllBytes(ImageCases.ImagePath("jpeg_baseline.jpg")), 0);
        var path = _folder.File("damaged.jpg");
        for (var round = 0; round < 150; round++)
        {
            var bytes = good.ToArray();
            for (var i = 0; i < 3; i++) bytes[random.Next(2, round % 2 == 0 ? 600 : bytes.Length)] = (byte)random.Next(256);
            File.WriteAllBytes(path, bytes);
            var expected = Outcome(() => ImageFile.Load(path));
            var found = Outcome(() => ImageFile.LoadResized(path, Whole));
            Assert.Equal(expected.Fault, found.Fault);
            if (expected.Image is { } image) ImageCases.AssertClose(image, found.Image!, 0, 0);
            else
            {
                failed++;
                Assert.NotNull(Outcome(() => ImageFile.LoadResized(path, Half, new() { FastDecoding = true })).Fault);
            }
        }

        Assert.InRange(failed, 10, 140);
    }

    [Fact]
    public void LoadResized_PartOutsideThePicture_IsRefused()
    {
        var path = ImageCases.ImagePath("png_rgb.png");
        Assert.Contains("9x8 at (2, 0)",
            Assert.Throws<ArgumentException>(() => ImageFile.LoadResized(path, _ => new(new(10, 8), 2, 0, new(9, 8)))).Message,
            StringComparison.Ordinal);
        Assert.Contains("0x8", Assert.Throws<ArgumentException>(() =>
            ImageFile.LoadResized(path, _ => new(new(0, 8), 0, 0, new(1, 8)))).Message, StringComparison.Ordinal);
    }

    /// <summary>The bounds that docs/images.md gives; photographs have grain and edges, and are reduced as for training.</summary>
    [Theory]
    [InlineData(1632, 1224, 683, 512)]
    [InlineData(1225, 1633, 512, 683)]
    [InlineData(2051, 1367, 1024, 683)]
    [InlineData(1632, 1224, 816, 612)]
    [InlineData(1632, 1224, 300, 225)]
    public void FastDecoding_Photograph_IsNearTheExactPixels(int width, int height, int toWidth, int toHeight)
    {
        var path = _folder.File("photo.jpg");
        ImageFile.SaveJpeg(path, Photograph(width, height), 90);
        var (largest, mean) = Difference(path, new(toWidth, toHeight));
        Assert.InRange(mean, 1e-6, 2.5);
        Assert.InRange(largest, 1, 64);
    }

    [Theory]
    [MemberData(nameof(Jpegs))]
    public void FastDecoding_Fixture_IsNearTheExactPixels(string name)
    {
        var size = ImageHeader.ReadSize(ImageCases.ImagePath(name));
        foreach (var divisor in new[] { 2.0, 2.7, 4.5 })
        {
            var (largest, mean) = Difference(ImageCases.ImagePath(name), new((int)(size.Width / divisor), (int)(size.Height / divisor)));
            Assert.InRange(mean, 0, 7.0);
            Assert.InRange(largest, 0, 90);
        }
    }

    [Theory]
    [InlineData("png_rgb.png")]
    [InlineData("webp_lossy.webp")]
    [InlineData("jpeg_baseline.jpg")]                                             // wanted at more than half its size
    public void FastDecoding_WhereItDoesNotApply_GivesTheExactPixels(string name)
    {
        var size = ImageHeader.ReadSize(ImageCases.ImagePath(name));
        var (largest, _) = Difference(ImageCases.ImagePath(name),
            name.EndsWith(".jpg", StringComparison.Ordinal) ? new((size.Width / 2) + 1, size.Height / 2)
            : new(size.Width / 3, size.Height / 3));
        Assert.Equal(0, largest);
    }

    private static (int Largest, double Mean) Difference(string path, PixelSize size)
    {
        var (exact, fast) = (ImageFile.LoadResized(path, _ => Whole(size)),
            ImageFile.LoadResized(path, _ => Whole(size), new() { FastDecoding = true }));
        Assert.Equal(exact.Size, fast.Size);
        var (largest, sum) = (0, 0L);
        for (var i = 0; i < exact.Pixels.Length; i++)
        {
            var difference = Math.Abs(exact.Pixels[i] - fast.Pixels[i]);
            (largest, sum) = (Math.Max(largest, difference), sum + difference);
        }

        return (largest, (double)sum / exact.Pixels.Length);
    }

    private static IEnumerable<string> Names() =>
        Directory.EnumerateFiles(Fixtures.Path("data", "images")).Select(path => Path.GetFileName(path)!)
        .Where(name => name is not ("corrupted.png" or "not_an_image.jpg" or "truncated.jpg" or "zero_byte.png"))
            .Order(StringComparer.Ordinal);

    private static ImageFit Whole(PixelSize size) => new(size, 0, 0, size);

    private static (PixelImage? Image, string? Fault) Outcome(Func<PixelImage> load)
    {
        try
        {
            return (load(), null);
        }
        catch (InvalidFileException e)
        {
            return (null, e.Message);
        }
    }

    private static ImageFit Half(PixelSize size) => Whole(new(Math.Max(1, size.Width / 2), Math.Max(1, size.Height / 2)));

    private static IEnumerable<(PixelSize Size, Interpolation? How)> Sizes(PixelSize size)
    {
        yield return (size, null);
        yield return (new(Math.Max(1, size.Width / 2), Math.Max(1, size.Height / 2)), null);
        yield return (new(Math.Max(1, size.Width * 2 / 5), Math.Max(1, size.Height * 3 / 7)), null);
        yield return (new((size.Width * 5 / 4) + 1, size.Height), null);
        yield return (new(Math.Max(1, size.Width * 2 / 3), Math.Max(1, size.Height * 2 / 3)), Interpolation.PillowBicubic);
    }

    private static PixelImage Photograph(int width, int height)
    {
        var random = new Random(7);
        var canvas = new Canvas(width, height, PixelColor.FromRgb(0x406080));
        for (var i = 0; i < 80; i++)
            canvas.FillEllipse(random.Next(width), random.Next(height), 20 + random.Next(200), 20 + random.Next(200),
                PixelColor.FromRgb(random.Next(1 << 24)), random.Next(180));
        var pixels = canvas.Image.Pixels;
        for (var i = 0; i < pixels.Length; i += 3)
        {
            var light = random.Next(-15, 16) + (int)(40 * Math.Sin(i / 3 % width * 0.006));
            for (var c = 0; c < 3; c++) pixels[i + c] = (byte)Math.Clamp(pixels[i + c] + light + random.Next(-4, 5), 0, 255);
        }

        return canvas.Image;
    }
}

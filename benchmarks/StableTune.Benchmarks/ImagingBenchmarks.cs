using BenchmarkDotNet.Attributes;
using StableTune.Imaging;

namespace StableTune.Benchmarks;

/// <summary>
/// From a JPEG of two megapixels to a training picture of 512x512, on one thread. sd-scripts' load and resize (Pillow, then OpenCV's area)
/// does 56 such images a second on one core.
/// </summary>
[MemoryDiagnoser]
public class ImagingBenchmarks
{
    private readonly float[] _floats = new float[3 * 512 * 512];
    private string _folder = "", _jpeg = "";
    private PixelImage _large = new(1, 1), _small = new(1, 1);

    [GlobalSetup]
    public void Setup()
    {
        _folder = Directory.CreateTempSubdirectory("stabletune-benchmark-").FullName;
        _jpeg = Path.Combine(_folder, "photo.jpg");
        ImageFile.SaveJpeg(_jpeg, Photo(1632, 1224), 90);
        _large = ImageFile.Load(_jpeg);
        _small = ImageResize.Resize(_large, 400, 300);
    }

    [GlobalCleanup]
    public void Cleanup() => Directory.Delete(_folder, recursive: true);

    [Benchmark(Baseline = true, Description = "decode, area, crop, floats")]
    public void Prepare() => ImageResize.Resize(ImageFile.Load(_jpeg), 683, 512).CenterCrop(512, 512).ToFloats(_floats);

    [Benchmark(Description = "decode")]
    public PixelImage Decode() => ImageFile.Load(_jpeg);

    [Benchmark(Description = "area, 1632x1224 to 683x512")]
    public PixelImage Area() => ImageResize.Resize(_large, 683, 512);

    [Benchmark(Description = "Lanczos, 1632x1224 to 683x512")]
    public PixelImage LanczosDown() => ImageResize.Resize(_large, 683, 512, Interpolation.Lanczos);

    [Benchmark(Description = "Lanczos, 400x300 to 683x512")]
    public PixelImage LanczosUp() => ImageResize.Resize(_small, 683, 512);

    [Benchmark(Description = "header")]
    public PixelSize Header() => ImageHeader.ReadSize(_jpeg);

    // Ellipses with noise: edges, areas and grain, as a photo has them (about 600 KiB as JPEG).
    private static PixelImage Photo(int width, int height)
    {
        var random = new Random(2);
        PixelColor Color() => PixelColor.FromRgb(random.Next(1 << 24));
        var canvas = new Canvas(width, height, Color());
        for (var i = 0; i < 400; i++)
            canvas.FillEllipse(random.Next(width), random.Next(height), 20 + random.Next(100), 20 + random.Next(100), Color(),
                random.Next(180));
        var pixels = canvas.Image.Pixels;
        for (var i = 0; i < pixels.Length; i++) pixels[i] = (byte)Math.Clamp(pixels[i] + random.Next(-12, 12), 0, 255);
        return canvas.Image;
    }
}

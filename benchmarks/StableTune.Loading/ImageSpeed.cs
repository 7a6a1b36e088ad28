using StableTune.FullSize;
using System.Diagnostics;
using SkiaSharp;
using StableTune.Data;
using StableTune.Imaging;

namespace StableTune.Loading;

/// <summary>From JPEG files to tensors of 512x512.</summary>
internal static class ImageSpeed
{
    private const int Side = 512, Rounds = 3;
    private const long KeptBytes = 256L << 20;

    public static void Loader(string folder, int workers, bool fast)
    {
        var dataset = Dataset(folder, fast);
        using var kept = HostMemory.Keep(KeptBytes);                                   // as training does
        using var loader = new BatchLoader(new() { Workers = workers });
        using var clock = new Measure(fast ? $"loader, {workers} worker(s), reduced decoding" : $"loader, {workers} worker(s)");
        for (var round = 1; round <= Rounds; round++)
        {
            clock.Begin();
            foreach (var batch in loader.Load(EpochPlan.Create(dataset, new NamedSeeds(1), round))) batch.Dispose();
            clock.End(dataset.Samples.Count);
        }
    }

    /// <summary>One call after the other, on one thread, with fresh memory for each result, as a first version would be written.</summary>
    public static void Plain(string folder)
    {
        string[] files = [.. Directory.EnumerateFiles(folder, "*.jpg").Order(StringComparer.Ordinal)];
        using var clock = new Measure("plain Skia, 1 thread");
        for (var round = 1; round <= Rounds; round++)
        {
            clock.Begin();
            foreach (var file in files) Prepare(file);
            clock.End(files.Length);
        }
    }

    /// <summary>The best of many runs of each stage, summed over a few photographs: robust where others use the machine.</summary>
    public static void Stages(string folder)
    {
        const int photographs = 12, runs = 20;
        string[] files = [.. Directory.EnumerateFiles(folder, "*.jpg").Order(StringComparer.Ordinal).Take(photographs)];
        byte[][] bytes = [.. files.Select(File.ReadAllBytes)];
        ImageHeader[] headers = [.. files.Select(file => ImageHeader.Read(file))];
        PixelImage[] whole = [.. files.Select(file => ImageFile.Load(file))];
        PixelImage[] cut = [.. files.Select(file => ImageFile.LoadResized(file, Fit))];
        var floats = new float[3 * Side * Side];
        void Best(string name, Action<int> stage)
        {
            var sum = 0.0;
            for (var i = 0; i < files.Length; i++)
            {
                var best = double.MaxValue;
                for (var run = 0; run < runs; run++)
                {
                    var start = Stopwatch.GetTimestamp();
                    stage(i);
                    best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalMilliseconds);
                }

                sum += best;
            }

            Console.WriteLine($"{name}: {sum / files.Length:F3} ms");
        }

        Best("plain Skia: read, decode, resize, crop, floats", i => Prepare(files[i]));
        Best("read, decode, area, crop", i => ImageFile.LoadResized(files[i], Fit));
        Best("read, decode reduced, area, crop", i => ImageFile.LoadResized(files[i], Fit, new() { FastDecoding = true }));
        Best("to floats", i => cut[i].ToFloats(floats));
        Best("read the file", i => File.ReadAllBytes(files[i]));
        Best("decode to RGB", i => SkiaCodec.Instance.Decode(bytes[i], headers[i], keepAlpha: false));
        Best("decode by rows", i => SkiaCodec.Instance.DecodeRows(bytes[i], headers[i], keepAlpha: false, denominator: 1, (_, _) => { }));
        Best("decode a half by rows", i =>
            SkiaCodec.Instance.DecodeRows(bytes[i], headers[i], keepAlpha: false, denominator: 2, (_, _) => { }));
        Best("area", i => ImageResize.Resize(whole[i], Fit(whole[i].Size).Resized.Width, Fit(whole[i].Size).Resized.Height));
    }

    private static ImageFit Fit(PixelSize size)
    {
        var scale = (double)Side / Math.Min(size.Width, size.Height);
        var resized = new PixelSize((int)Math.Round(size.Width * scale), (int)Math.Round(size.Height * scale));
        return new(resized, (resized.Width - Side) / 2, (resized.Height - Side) / 2, new(Side, Side));
    }

    public static TrainingDataset Dataset(string folder, bool fast)
    {
        var builder = new DatasetBuilder().AddFolder(folder, new SubsetOptions { CaptionExtensions = CaptionFiles.Any })
            .WithResolution(Side);
        return builder.WithOptions(builder.Plan.Options with { FastDecoding = fast }).Build();
    }

    private static float[] Prepare(string file)
    {
        using var image = SKBitmap.Decode(file);
        var fit = Fit(new(image.Width, image.Height));
        using var resized = image.Resize(
            new SKSizeI(fit.Resized.Width, fit.Resized.Height), new SKSamplingOptions(SKFilterMode.Linear, SKMipmapMode.Linear));
        var (pixels, floats) = (resized.Bytes, new float[3 * Side * Side]);
        var (red, blue) = resized.ColorType == SKColorType.Bgra8888 ? (2, 0) : (0, 2);
        for (var i = 0; i < Side * Side; i++)
        {
            var at = ((fit.Top + (i / Side)) * resized.RowBytes) + (4 * (fit.Left + (i % Side)));
            floats[i] = ((pixels[at + red] / 255f) - 0.5f) / 0.5f;
            floats[(Side * Side) + i] = ((pixels[at + 1] / 255f) - 0.5f) / 0.5f;
            floats[(2 * Side * Side) + i] = ((pixels[at + blue] / 255f) - 0.5f) / 0.5f;
        }

        return floats;
    }

    /// <summary>Wall and processor time of the best round, and the peak of memory.</summary>
    internal sealed class Measure(string name) : IDisposable
    {
        private readonly Stopwatch _wall = new();
        private TimeSpan _processor;
        private (double Wall, double Processor) _best = (double.MaxValue, double.MaxValue);

        public void Begin()
        {
            _processor = Process.GetCurrentProcess().TotalProcessorTime;
            _wall.Restart();
        }

        public void End(int images)
        {
            var (wall, processor) = (_wall.Elapsed.TotalMilliseconds / images,
                (Process.GetCurrentProcess().TotalProcessorTime - _processor).TotalMilliseconds / images);
            _best = (Math.Min(_best.Wall, wall), Math.Min(_best.Processor, processor));
        }

        public void Dispose() => Console.WriteLine(
            $"{name}: {1000 / _best.Wall:F0} images/s ({_best.Wall:F3} ms), processor {_best.Processor:F3} ms an image "
                + $"({1000 / _best.Processor:F0}/s on one core), peak {ProcessFigures.PeakGiB * 1024:F0} MiB");
    }
}

using System.Diagnostics;
using StableTune.Data;
using StableTune.FullSize;
using StableTune.Imaging;

namespace StableTune.Loading;

/// <summary>From JPEG files to tensors of 512x512.</summary>
internal static class ImageSpeed
{
    private const int Side = 512, Rounds = 3;

    public static void Loader(string folder, int workers, bool fast)
    {
        var dataset = Dataset(folder, fast);
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
        using var clock = new Measure("plain OpenCV, 1 thread");
        for (var round = 1; round <= Rounds; round++)
        {
            clock.Begin();
            foreach (var file in files) Prepare(file);
            clock.End(files.Length);
        }
    }

    public static TrainingDataset Dataset(string folder, bool fast) => new DatasetBuilder().AddFolder(folder).WithResolution(Side).Build();

    private static float[] Prepare(string file)
    {
        var (bytes, header) = (File.ReadAllBytes(file), ImageHeader.Read(file));
        var image = OpenCvCodec.Instance.Decode(bytes, header, keepAlpha: false);
        var scale = (double)Side / Math.Min(image.Width, image.Height);
        var (width, height) = ((int)Math.Round(image.Width * scale), (int)Math.Round(image.Height * scale));
        var cut = OpenCvCodec.Instance.Resize(image, width, height, CodecResizeMethod.Area).CenterCrop(Side, Side);
        var floats = new float[3 * Side * Side];
        for (var i = 0; i < Side * Side; i++)
            for (var c = 0; c < 3; c++) floats[(c * Side * Side) + i] = ((cut.Pixels[(3 * i) + c] / 255f) - 0.5f) / 0.5f;
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
            var (wall, processor) = (_wall.Elapsed.TotalMilliseconds / images, (Process.GetCurrentProcess().TotalProcessorTime - _processor).TotalMilliseconds / images);
            _best = (Math.Min(_best.Wall, wall), Math.Min(_best.Processor, processor));
        }

        public void Dispose() => Console.WriteLine(
            $"{name}: {1000 / _best.Wall:F0} images/s ({_best.Wall:F3} ms), processor {_best.Processor:F3} ms an image ({1000 / _best.Processor:F0}/s on one core), peak {ProcessFigures.PeakGiB * 1024:F0} MiB");
    }
}

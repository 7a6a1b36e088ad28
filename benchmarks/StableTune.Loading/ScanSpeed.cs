using StableTune.FullSize;
using System.Diagnostics;

namespace StableTune.Loading;

/// <summary>From a folder to a data set: names, captions, headers, sizes; no pixels.</summary>
internal static class ScanSpeed
{
    public static void Run(string folder)
    {
        var clock = Stopwatch.StartNew();
        var dataset = new DatasetBuilder().AddFolder(folder, new SubsetOptions { CaptionExtensions = CaptionFiles.Any })
            .WithResolution(512).WithBuckets().Build();
        var wall = clock.Elapsed;
        Console.WriteLine(
            $"scan: {dataset.Samples.Count} images in {dataset.Buckets.Count} sizes, {wall.TotalSeconds:F2} s, processor "
                + $"{Process.GetCurrentProcess().TotalProcessorTime.TotalSeconds:F2} s with the runtime's start, peak "
                    + $"{ProcessFigures.PeakGiB * 1024:F0} MiB");
    }
}

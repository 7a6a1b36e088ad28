using BenchmarkDotNet.Attributes;
using StableTune.Data;
using StableTune.Imaging;

namespace StableTune.Benchmarks;

/// <summary>Batches of four 512x512 pictures from PNG files with captions, by the number of threads that read ahead. The time is that of
/// a picture.</summary>
[MemoryDiagnoser]
public class DataBenchmarks
{
    private const int Images = 16;

    private string _folder = "";
    private EpochPlan _plan = null!;

    /// <summary>Threads that read and prepare; 0 does it where the batch is asked for.</summary>
    [Params(0, 1, 2)]
    public int Workers { get; set; }

    [GlobalSetup]
    public void SetUp()
    {
        NativeBackend.Load();
        _folder = Directory.CreateTempSubdirectory("stabletune-benchmark-").FullName;
        var random = new Random(3);
        for (var i = 0; i < Images; i++)
        {
            var canvas = new Canvas(640, 512, PixelColor.FromRgb(random.Next(1 << 24)));
            for (var n = 0; n < 50; n++)
                canvas.FillEllipse(random.Next(640), random.Next(512), 60, 40, PixelColor.FromRgb(random.Next(1 << 24)), n);
            ImageFile.SavePng(Path.Combine(_folder, $"{i}.png"), canvas.Image);
            File.WriteAllText(Path.Combine(_folder, $"{i}.caption"), $"ellipses, picture {i}");
        }

        var dataset = new DatasetBuilder().AddFolder(_folder).WithResolution(512).WithBatchSize(4).Build();
        _plan = EpochPlan.Create(dataset, new NamedSeeds(1), 1);
    }

    [GlobalCleanup]
    public void CleanUp() => Directory.Delete(_folder, recursive: true);

    [Benchmark(OperationsPerInvoke = Images, Description = "a picture")]
    public long Epoch()
    {
        using var loader = new BatchLoader(new BatchLoaderOptions { Workers = Workers });
        long images = 0;
        foreach (var batch in loader.Load(_plan, firstBatch: 0, CancellationToken.None))
            using (batch)
                images += batch.Count;
        return images;
    }
}

using System.Globalization;

namespace StableTune.LibTorch.Tests;

[Collection(CountingTensors.Name)]
public sealed class HostMemoryTests
{
    private const long Elements = 8L << 20;   // 32 MiB of float32, 8192 pages: above the size that malloc otherwise maps anew each time
    private const int Rounds = 16;

    /// <summary>Pages that the process had to fetch so far, without reading from a disk: field 10 of the kernel's line.</summary>
    private static long PageFaults()
    {
        var line = File.ReadAllText("/proc/self/stat");
        return long.Parse(line[(line.LastIndexOf(')') + 2)..].Split(' ')[7], CultureInfo.InvariantCulture);
    }

    private static long FaultsOfRounds()
    {
        var before = PageFaults();
        for (var i = 0; i < Rounds; i++) zeros(Elements).Dispose();
        return PageFaults() - before;
    }

    [Fact]
    public void KeepFreedMemory_TensorAfterTensor_FetchesItsPagesOnce()
    {
        if (!engine.keep_freed_memory()) return;   // another C library: the method promises nothing
        FaultsOfRounds();
        // Without it every round fetches 8192 pages. Some are left to the runtime itself.
        Assert.InRange(FaultsOfRounds(), 0, 8192);

        var kept = engine.memory().ResidentBytes;
        Assert.True(engine.release_freed_memory());
        Assert.True(engine.memory().ResidentBytes <= kept - Elements * sizeof(float) / 2);
    }
}

namespace StableTune.Imaging.Tests;

/// <summary>Runs while no other test does, as it looks at the memory of the process.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;

/// <summary>What a codec keeps after good and damaged files.</summary>
public abstract class CodecMemory
{
    private const long Noise = 8 << 20;

    protected abstract IImageCodec Codec { get; }

    [Fact]
    public void Decode_ThousandsOfTimes_KeepsNoMemory()
    {
        var random = new Random(1);
        var good = CodecContract.VariedNames.Select(name => File.ReadAllBytes(ImageCases.ImagePath(name))).ToArray();
        var damaged = good.SelectMany(file => Enumerable.Range(0, 4).Select(_ => DamagedFiles.Mutate(file, random))).ToArray();
        var options = new ImageLoadOptions { Codec = Codec, MaxPixels = 1 << 17 };
        Decode(500);
        // What is kept of each file would show every time.
        List<long> growths = [];
        bool KeepsNone()
        {
            growths.Add(-WorkingSet() + Decode(1000));
            return growths[^1] < Noise;
        }

        Assert.True(Enumerable.Range(0, 4).Any(_ => KeepsNone()), $"memory grows each time: {string.Join(", ", growths)} bytes");

        long Decode(int rounds)
        {
            for (var i = 0; i < rounds; i++)
            {
                ImageFile.Decode(good[i % good.Length], options);
                Record.Exception(() => ImageFile.Decode(damaged[i % damaged.Length], options));
            }

            return WorkingSet();
        }
    }

    private static long WorkingSet()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        return Environment.WorkingSet;
    }
}

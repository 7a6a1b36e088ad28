using StableTune.Data;
using StableTune.Tensors;

namespace StableTune.Loading;

/// <summary>An epoch from latents, and text features, that are in memory: what the loader adds to a step.</summary>
internal sealed class CachedSpeed : ILatentEncoder, ITextEncoder
{
    private const int Rounds = 10;

    public double ScalingFactor => 0.18215;

    public static void Run(string folder)
    {
        var dataset = ImageSpeed.Dataset(folder, fast: false);
        using var latents = LatentCache.Build(dataset, new CachedSpeed(), new NamedSeeds(1));
        using var text = TextOutputCache.Build(dataset, new CachedSpeed());
        using var loader = new BatchLoader(null, latents, text);
        using var clock = new ImageSpeed.Measure("loader, latents and text features in memory");
        for (var round = 1; round <= Rounds; round++)
        {
            clock.Begin();
            foreach (var batch in loader.Load(EpochPlan.Create(dataset, new NamedSeeds(1), round))) batch.Dispose();
            clock.End(dataset.Samples.Count);
        }
    }

    public LatentDistribution Encode(Tensor pixels)
    {
        var mean = nn.functional.avg_pool2d(pixels, 8);
        mean = cat([mean, mean[TensorIndex.Colon, TensorIndex.Slice(0, 1)]], 1);
        return new(mean, zeros_like(mean));
    }

    public TextConditions Encode(IReadOnlyList<string> captions) => new(zeros(captions.Count, 77, 768));
}

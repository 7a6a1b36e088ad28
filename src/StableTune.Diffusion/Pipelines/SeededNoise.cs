namespace StableTune.Diffusion;

/// <summary>Noise for a batch of pictures, each from a CPU generator of its own, so that a picture does not depend on its neighbours or
/// on the device.</summary>
internal sealed class SeededNoise : IDisposable
{
    private readonly Generator[] _generators;

    internal SeededNoise(IEnumerable<long> seeds) => _generators = [.. seeds.Select(seed => new Generator(unchecked((ulong)seed)))];

    /// <summary>Standard normal noise [B, ...], float32; sample i comes from generator i.</summary>
    internal Tensor Draw(long[] shape, Device device)
    {
        using var scope = NewDisposeScope();
        long[] one = [1, .. shape[1..]];
        var parts = _generators.Select(generator => randn(one, dtype: ScalarType.Float32, generator: generator)).ToArray();
        return cat(parts, 0).to(device).MoveToOuterDisposeScope();
    }

    /// <summary>Standard normal noise of a tensor's shape, dtype and device, the same for every interval of noise levels.</summary>
    internal Tensor DrawLike(Tensor like, double from, double to)
    {
        using var scope = NewDisposeScope();
        return Draw(like.shape, like.device).to(like.dtype).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        foreach (var generator in _generators) generator.Dispose();
    }
}

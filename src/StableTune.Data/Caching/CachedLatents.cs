using StableTune.Tensors;

namespace StableTune.Data;

/// <summary>What a cache holds of one image. Owns its tensors, which belong to no dispose scope.</summary>
/// <param name="latents">One sample, unscaled, or the mean: [4, H/8, W/8], float32.</param>
/// <param name="logVariance">Logarithm of the variance where <paramref name="latents"/> is the mean; otherwise null.</param>
internal sealed class CachedLatents(Tensor latents, Tensor? logVariance = null) : IDisposable
{
    internal Tensor Latents { get; } = latents.DetachFromDisposeScope();

    internal Tensor? LogVariance { get; } = logVariance?.DetachFromDisposeScope();

    /// <summary>The latents of the mirror image; null when that is not trained.</summary>
    internal CachedLatents? Flipped { get; init; }

    /// <summary>How much each place counts, [H/8 * W/8]; null where all count alike.</summary>
    internal float[]? Mask { get; set; }

    internal long Bytes => sizeof(float) * (Latents.numel() + (LogVariance?.numel() ?? 0) + (Mask?.Length ?? 0)) + (Flipped?.Bytes ?? 0);

    /// <summary>What training uses, unscaled: the sample, or a new one. In the current dispose scope.</summary>
    /// <param name="seed">Of a new sample; null for the mean.</param>
    internal Tensor Draw(long? seed)
    {
        if (LogVariance is null || seed is not { } given) return Latents.alias();
        using var random = new Generator((ulong)given);
        return new LatentDistribution(Latents, LogVariance).Sample(random);
    }

    public void Dispose()
    {
        Latents.Dispose();
        LogVariance?.Dispose();
        Flipped?.Dispose();
    }
}

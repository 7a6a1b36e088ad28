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

    /// <summary>Writes them for another process.</summary>
    internal void Write(BinaryWriter writer)
    {
        SharedFilling.Write(writer, Latents);
        SharedFilling.Write(writer, LogVariance);
        writer.Write(Flipped is not null);
        Flipped?.Write(writer);
        writer.Write(Mask?.Length ?? -1);
        foreach (var value in Mask ?? []) writer.Write(value);
    }

    /// <summary>Reads what <see cref="Write"/> of another process wrote.</summary>
    internal static CachedLatents Read(BinaryReader reader)
    {
        var (latents, variance) = (SharedFilling.Read(reader)!, SharedFilling.Read(reader));
        var flipped = reader.ReadBoolean() ? Read(reader) : null;
        var count = reader.ReadInt32();
        return new CachedLatents(latents, variance)
        {
            Flipped = flipped, Mask = count < 0 ? null : [.. Enumerable.Range(0, count).Select(_ => reader.ReadSingle())],
        };
    }

    public void Dispose()
    {
        Latents.Dispose();
        LogVariance?.Dispose();
        Flipped?.Dispose();
    }
}

using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace StableTune.Data;

/// <summary>Where latents come from.</summary>
/// <param name="Image">SHA-256 of the image file, as hexadecimal digits.</param>
/// <param name="Vae">The hash of the VAE; empty where it is not known.</param>
/// <param name="Preparation">SHA-256 of how the image was resized and cut (<see cref="LatentStore.PreparationOf"/>).</param>
internal sealed record LatentOrigin(string Image, string Vae, string Preparation)
{
    /// <summary>
    /// Name, length and time of the image file (<see cref="StampOf"/>), a short cut to its content; null where it is not known.
    /// </summary>
    internal string? Stamp { get; init; }

    /// <summary>Of an image that is about to be encoded.</summary>
    internal static LatentOrigin Of(TrainingSample sample, VaeIdentity vae) =>
        new(ImageHashes.Compute(sample.Path), vae.Hash, PreparationHash(sample)) { Stamp = StampOf(sample.Path) };

    /// <summary>The hash of how an image is prepared.</summary>
    internal static string PreparationHash(TrainingSample sample) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(LatentStore.PreparationOf(sample))));

    /// <summary>
    /// Name, length and time of a file. A file of the same length may have another name, and one that takes its place may be older.
    /// </summary>
    internal static string StampOf(string path)
    {
        var info = new FileInfo(path);
        return string.Create(CultureInfo.InvariantCulture, $"{info.Name}|{info.Length}|{info.LastWriteTimeUtc.Ticks}");
    }

    /// <summary>Whether latents of both are of the same pixels by the same VAE.</summary>
    internal bool IsAs(LatentOrigin? other) => other is not null
        && (Image, Vae, Preparation) == (other.Image, other.Vae, other.Preparation);

    /// <summary>What ties latents to where they come from.</summary>
    internal string RecordOf(ReadOnlySpan<byte> latents)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(latents);
        hash.AppendData(Encoding.UTF8.GetBytes($"|{Image}|{Vae}|{Preparation}"));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}

using System.Security.Cryptography;

namespace StableTune.Formats;

/// <summary>The two hashes that adapter files carry in their metadata.</summary>
/// <param name="Model"><c>sshs_model_hash</c>: sha256 over everything behind the header, 64 hexadecimal digits.</param>
/// <param name="Legacy"><c>sshs_legacy_hash</c>: the old hash, see <see cref="WeightHashes.Old"/>, 8 hexadecimal digits.</param>
public sealed record ModelHashes(string Model, string Legacy);

/// <summary>The hashes by which programs tell weights files apart. All are lower-case hexadecimal.</summary>
public static class WeightHashes
{
    /// <summary>Where the piece begins that the old hash covers.</summary>
    internal const long OldOffset = 0x100000;

    /// <summary>The size of that piece.</summary>
    internal const int OldLength = 0x10000;

    /// <summary>The sha256 of the whole file, 64 digits (<c>ss_new_sd_model_hash</c>).</summary>
    /// <param name="path">Any file.</param>
    /// <param name="cancellationToken">Looked at every few megabytes.</param>
    /// <exception cref="InvalidFileException">The file cannot be read.</exception>
    public static string Sha256(string path, CancellationToken cancellationToken = default)
    {
        using var file = FileBytes.Open(path);
        return HashFrom(file, 0, cancellationToken);
    }

    /// <summary>
    /// The old hash of AUTOMATIC1111's web UI, 8 digits (<c>ss_sd_model_hash</c>): of the sha256 over 0x10000 bytes at offset
    /// 0x100000 the first 8 digits. A file that is shorter gives the hash of what is there, <c>e3b0c442</c> for nothing.
    /// </summary>
    /// <param name="path">Any file.</param>
    /// <exception cref="InvalidFileException">The file cannot be read.</exception>
    public static string Old(string path)
    {
        using var file = FileBytes.Open(path);
        var piece = new byte[OldLength];
        var read = FileBytes.ReadUpTo(file.SafeFileHandle, piece, OldOffset);
        return Convert.ToHexStringLower(SHA256.HashData(piece.AsSpan(0, read)))[..8];
    }

    /// <summary>The sha256 over the data of a safetensors file, without its header, 64 digits (<c>sshs_model_hash</c>).</summary>
    /// <param name="path">A safetensors file.</param>
    /// <param name="cancellationToken">Looked at every few megabytes.</param>
    /// <exception cref="InvalidFileException">The file is not a valid safetensors file.</exception>
    public static string OfTensors(string path, CancellationToken cancellationToken = default)
    {
        long offset;
        using (var tensors = SafetensorsFile.Open(path)) offset = tensors.DataOffset;
        using var file = FileBytes.Open(path);
        return HashFrom(file, offset, cancellationToken);
    }

    private static string HashFrom(FileStream file, long offset, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 22];
        for (int read; (read = FileBytes.ReadUpTo(file.SafeFileHandle, buffer, offset)) > 0; offset += read)
        {
            cancellationToken.ThrowIfCancellationRequested();
            hash.AppendData(buffer, 0, read);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}

using System.Security.Cryptography;

namespace StableTune.Formats;

/// <summary>The two hashes that adapter files carry in their metadata.</summary>
/// <param name="Model"><c>sshs_model_hash</c>: sha256 over everything behind the header, 64 hexadecimal digits.</param>
/// <param name="Legacy"><c>sshs_legacy_hash</c>: the old hash, see <see cref="WeightHashes.Old"/>, 8 hexadecimal digits.</param>
public sealed record ModelHashes(string Model, string Legacy);

/// <summary>The hashes of a whole file, by which web interfaces and model sites know it.</summary>
/// <param name="Sha256">The sha256 of all its bytes, 64 hexadecimal digits.</param>
/// <param name="Old">The old hash of AUTOMATIC1111's web UI, see <see cref="WeightHashes.Old"/>, 8 hexadecimal digits.</param>
public sealed record FileHashes(string Sha256, string Old)
{
    /// <summary>The short form of today, AutoV2: the first 10 digits of <see cref="Sha256"/>.</summary>
    public string AutoV2 => Sha256[..10];
}

/// <summary>The hashes by which programs tell weights files apart. All are lower-case hexadecimal.</summary>
public static class WeightHashes
{
    /// <summary>Where the piece begins that the old hash covers.</summary>
    internal const long OldOffset = 0x100000;

    /// <summary>The size of that piece.</summary>
    internal const int OldLength = 0x10000;

    private const int BufferLength = 1 << 22;

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

    /// <summary>The hashes of a whole file, read once.</summary>
    /// <param name="path">Any file.</param>
    /// <param name="progress">Told the part that is read, 0 to 1, every few megabytes; null for nobody.</param>
    /// <param name="cancellationToken">Looked at as often.</param>
    /// <exception cref="InvalidFileException">The file cannot be read.</exception>
    public static FileHashes OfFile(string path, IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        using var file = FileBytes.Open(path);
        return new FileHashes(HashFrom(file, 0, cancellationToken, progress), Old(path));
    }

    /// <summary>
    /// The hashes that adapter files carry, computed anew from the content: of the file that the tensors and the <c>ss_</c> entries of the
    /// metadata make, as the reference writes it.
    /// </summary>
    /// <param name="file">A weights file of any format.</param>
    /// <param name="cancellationToken">Looked at every few megabytes.</param>
    /// <exception cref="InvalidFileException">The file became shorter since it was opened.</exception>
    public static ModelHashes Recompute(ITensorFile file, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(file);
        var counted = file.Metadata.Where(entry => entry.Key.StartsWith("ss_", StringComparison.Ordinal))
            .ToDictionary(StringComparer.Ordinal);
        return SafetensorsWriter.Hash(Payloads(file, cancellationToken), counted);
    }

    /// <summary>
    /// The hash that LyCORIS writes as <c>modelspec.hash_sha256</c>: over the bytes of the tensors one after another, in the order in which
    /// the program held them, which need not be the file's.
    /// </summary>
    /// <param name="file">A weights file of any format.</param>
    /// <param name="names">The tensors in their order; null for the file's own.</param>
    /// <param name="cancellationToken">Looked at every few megabytes.</param>
    /// <returns>64 hexadecimal digits after <c>0x</c>.</returns>
    /// <exception cref="InvalidFileException">There is no tensor of such a name, or the file became shorter.</exception>
    public static string Lycoris(
        ITensorFile file, IEnumerable<string>? names = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(file);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[BufferLength];
        foreach (var tensor in names?.Select(name => file[name]) ?? file.Tensors)
            for (long at = 0; at < tensor.ByteCount;)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var part = buffer.AsSpan(0, (int)Math.Min(buffer.Length, tensor.ByteCount - at));
                file.Read(tensor, part, at);
                hash.AppendData(part);
                at += part.Length;
            }

        return "0x" + Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>
    /// Writes a safetensors file again with its hashes in the metadata (<c>sshs_model_hash</c>, <c>sshs_legacy_hash</c> and, where there
    /// is a model specification, <c>modelspec.hash_sha256</c>), by which web interfaces find an adapter without reading it whole. Tensors
    /// and other metadata stay.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="destination">Where the result goes; null replaces the file once the new one is complete.</param>
    /// <param name="cancellationToken">Looked at every few megabytes; the file stays as it was.</param>
    /// <returns>The hashes.</returns>
    /// <exception cref="InvalidFileException">The file is not a valid safetensors file.</exception>
    /// <exception cref="IOException">The result cannot be written.</exception>
    /// <exception cref="OperationCanceledException">The token was set.</exception>
    public static ModelHashes AddToMetadata(string path, string? destination = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ModelHashes? hashes = null;
        AtomicFile.Write(destination ?? path, stream =>
        {
            // Closed before the new file is renamed onto it: Windows would not allow that otherwise.
            using var file = SafetensorsFile.Open(path);
            hashes = SafetensorsWriter.WriteHashed(stream, Payloads(file, cancellationToken), file.Metadata);
        });
        return hashes!;
    }

    private static TensorPayload[] Payloads(ITensorFile file, CancellationToken cancellationToken) =>
    [
        .. file.Tensors.Select(tensor => new TensorPayload(tensor.Name, tensor.DType, tensor.Shape, stream =>
        {
            var buffer = new byte[(int)Math.Min(BufferLength, tensor.ByteCount)];
            for (long at = 0; at < tensor.ByteCount;)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var part = buffer.AsSpan(0, (int)Math.Min(buffer.Length, tensor.ByteCount - at));
                file.Read(tensor, part, at);
                stream.Write(part);
                at += part.Length;
            }
        })),
    ];

    private static string HashFrom(FileStream file, long offset, CancellationToken cancellationToken, IProgress<double>? progress = null)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[BufferLength];
        var length = Math.Max(1, file.Length);
        for (int read; (read = FileBytes.ReadUpTo(file.SafeFileHandle, buffer, offset)) > 0; offset += read)
        {
            cancellationToken.ThrowIfCancellationRequested();
            hash.AppendData(buffer, 0, read);
            progress?.Report((double)(offset + read) / length);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}

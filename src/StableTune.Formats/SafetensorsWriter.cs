using System.Buffers.Binary;

namespace StableTune.Formats;

/// <summary>One tensor to be written.</summary>
/// <param name="Name">Its name, unique in the file.</param>
/// <param name="DType">The element type.</param>
/// <param name="Shape">The sizes, outermost first; empty for a scalar.</param>
/// <param name="Write">Writes exactly the bytes that type and shape make, little-endian, row by row. May be called more than
/// once.</param>
public sealed record TensorPayload(string Name, TensorDType DType, IReadOnlyList<long> Shape, Action<Stream> Write);

/// <summary>
/// Writes safetensors files in the layout of the reference library: tensors ordered by type (largest alignment first) and
/// then by name, the header padded with blanks to a multiple of 8. Metadata is sorted by key, so equal content gives equal files.
/// </summary>
public static class SafetensorsWriter
{
    /// <summary>Writes the file: complete or absent, see <see cref="AtomicFile"/>. Tensors are streamed one after another.</summary>
    /// <param name="path">The file; its folder is created when missing.</param>
    /// <param name="tensors">The tensors, in any order.</param>
    /// <param name="metadata">Free texts for <c>__metadata__</c>; null leaves it out, an empty dictionary writes an empty one
    /// (as the reference does).</param>
    /// <exception cref="ArgumentException">Two tensors have the same name, or one has a name or size that cannot be.</exception>
    /// <exception cref="InvalidOperationException">A tensor wrote more or fewer bytes than its shape takes.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(string path, IEnumerable<TensorPayload> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        var plan = SafetensorsLayout.Plan(tensors, metadata);
        AtomicFile.Write(path, stream => Write(stream, plan));
    }

    /// <summary>
    /// As <see cref="Write(string, IEnumerable{TensorPayload}, IReadOnlyDictionary{string, string}?)"/>, with the hashes of the content
    /// in the metadata: <c>sshs_model_hash</c>, <c>sshs_legacy_hash</c> and, where the metadata holds a model specification,
    /// <c>modelspec.hash_sha256</c>. Each tensor is asked for its bytes once: the places of the hashes are kept free and filled in at the
    /// end.
    /// </summary>
    /// <inheritdoc cref="Write(string, IEnumerable{TensorPayload}, IReadOnlyDictionary{string, string}?)"/>
    public static void WriteHashed(string path, IEnumerable<TensorPayload> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        var all = tensors as IReadOnlyList<TensorPayload> ?? [.. tensors];
        var places = new HashPlaces(all, metadata);
        var plan = SafetensorsLayout.Plan(all, places.Metadata);
        AtomicFile.Write(path, stream => WriteHashed(stream, places, plan));
    }

    /// <summary>Writes the bytes of <see cref="WriteHashed(string, IEnumerable{TensorPayload}, IReadOnlyDictionary{string, string}?)"/>
    /// to a stream that can seek, from its begin.</summary>
    internal static ModelHashes WriteHashed(
        Stream stream, IReadOnlyList<TensorPayload> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        var places = new HashPlaces(tensors, metadata);
        return WriteHashed(stream, places, SafetensorsLayout.Plan(tensors, places.Metadata));
    }

    private static ModelHashes WriteHashed(Stream stream, HashPlaces places, SafetensorsLayout plan)
    {
        using var hashing = places.Begin();
        Write(new HashedStream(stream, 8 + plan.Header.Length, hashing), plan);
        var hashes = hashing.Finish();
        places.Fill(stream, plan.Header, hashes);
        return hashes;
    }

    /// <summary>Writes the same bytes to a stream.</summary>
    /// <inheritdoc cref="Write(string, IEnumerable{TensorPayload}, IReadOnlyDictionary{string, string}?)"/>
    public static void Write(Stream stream, IEnumerable<TensorPayload> tensors, IReadOnlyDictionary<string, string>? metadata = null) =>
        Write(stream, SafetensorsLayout.Plan(tensors, metadata));

    /// <summary>The hashes of the file that these tensors and this metadata would make; nothing is written.</summary>
    /// <param name="tensors">The tensors, in any order; each is asked for its bytes once.</param>
    /// <param name="metadata">The metadata that counts; for the <c>sshs_</c> hashes only the <c>ss_</c> entries.</param>
    public static ModelHashes Hash(IEnumerable<TensorPayload> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        var plan = SafetensorsLayout.Plan(tensors, metadata);
        using var hashes = new HashingStream(8 + plan.Header.Length);
        Write(hashes, plan);
        return hashes.Finish();
    }

    private static void Write(Stream stream, SafetensorsLayout plan)
    {
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)plan.Header.Length);
        stream.Write(length);
        stream.Write(plan.Header);
        foreach (var (payload, size) in plan.Tensors)
        {
            var counted = new CountingStream(stream, payload.Name, size);
            payload.Write(counted);
            counted.CheckComplete();
        }
    }
}

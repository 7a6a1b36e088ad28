using System.Buffers.Binary;
using System.Text;

namespace StableTune.Formats;

/// <summary>The entries of a header that hash what comes behind it: room for them, and their values once the data is written.</summary>
internal sealed class HashPlaces
{
    private const string Model = "sshs_model_hash", Legacy = "sshs_legacy_hash",
        Specification = ModelSpecification.KeyPrefix + "hash_sha256";

    private static readonly string EmptyModel = new('0', 64), EmptyLegacy = new('0', 8), EmptySpecification = "0x" + EmptyModel;

    private readonly byte[] _hashedHeader;

    /// <summary>Adds the places to the metadata.</summary>
    public HashPlaces(IEnumerable<TensorPayload> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        metadata ??= new Dictionary<string, string>();
        // What is hashed is the file with the ss_ entries alone.
        var counted = metadata.Where(entry => entry.Key.StartsWith("ss_", StringComparison.Ordinal)).ToDictionary(StringComparer.Ordinal);
        _hashedHeader = SafetensorsLayout.Plan(tensors, counted).Header;
        Metadata = new Dictionary<string, string>(metadata, StringComparer.Ordinal) { [Model] = EmptyModel, [Legacy] = EmptyLegacy };
        if (metadata.ContainsKey(ModelSpecification.KeyPrefix + "sai_model_spec")) Metadata[Specification] = EmptySpecification;
    }

    /// <summary>The metadata with room for the hashes.</summary>
    public Dictionary<string, string> Metadata { get; }

    /// <summary>Hashes that have seen the header that counts; the data must follow.</summary>
    public HashingStream Begin()
    {
        var hashes = new HashingStream(8 + _hashedHeader.Length);
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)_hashedHeader.Length);
        hashes.Write(length);
        hashes.Write(_hashedHeader);
        return hashes;
    }

    /// <summary>Writes the hashes into their places of the written header and goes back to the end.</summary>
    public void Fill(Stream file, ReadOnlySpan<byte> header, ModelHashes hashes)
    {
        var end = file.Position;
        Fill(file, header, Model, EmptyModel, hashes.Model);
        Fill(file, header, Legacy, EmptyLegacy, hashes.Legacy);
        if (Metadata.ContainsKey(Specification)) Fill(file, header, Specification, EmptySpecification, "0x" + hashes.Model);
        file.Position = end;
    }

    /// <summary>No value can hold the key with its quotes: quotes within texts are escaped.</summary>
    private static void Fill(Stream file, ReadOnlySpan<byte> header, string key, string empty, string value)
    {
        var place = header.IndexOf(Encoding.UTF8.GetBytes($"\"{key}\":\"{empty}\""));
        file.Position = 8 + place + key.Length + 4;
        file.Write(Encoding.UTF8.GetBytes(value));
    }
}

/// <summary>Passes a file's bytes on, and its data, without the header, also to its hashes.</summary>
internal sealed class HashedStream(Stream file, long dataOffset, Stream hashes) : WriteOnlyStream
{
    private long _position;

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        file.Write(buffer);
        var skip = (int)Math.Clamp(dataOffset - _position, 0, buffer.Length);
        _position += buffer.Length;
        hashes.Write(buffer[skip..]);
    }
}

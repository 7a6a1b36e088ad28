using System.Security.Cryptography;

namespace StableTune.Formats;

/// <summary>Takes the bytes of a safetensors file and keeps only its hashes.</summary>
/// <param name="dataOffset">Where the data begins: 8 + the length of the header.</param>
internal sealed class HashingStream(long dataOffset) : WriteOnlyStream
{
    private readonly IncrementalHash _model = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly IncrementalHash _legacy = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private long _position;

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        Append(_model, buffer, dataOffset, long.MaxValue);
        Append(_legacy, buffer, WeightHashes.OldOffset, WeightHashes.OldOffset + WeightHashes.OldLength);
        _position += buffer.Length;
    }

    public ModelHashes Finish() =>
        new(Convert.ToHexStringLower(_model.GetHashAndReset()), Convert.ToHexStringLower(_legacy.GetHashAndReset())[..8]);

    /// <summary>Adds the part of the buffer that lies between two positions of the file.</summary>
    private void Append(IncrementalHash hash, ReadOnlySpan<byte> buffer, long from, long to)
    {
        var begin = Math.Clamp(from - _position, 0, buffer.Length);
        var end = Math.Clamp(to - _position, begin, buffer.Length);
        hash.AppendData(buffer[(int)begin..(int)end]);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _model.Dispose();
            _legacy.Dispose();
        }

        base.Dispose(disposing);
    }
}

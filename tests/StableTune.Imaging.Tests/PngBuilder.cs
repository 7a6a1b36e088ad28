using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;

namespace StableTune.Imaging.Tests;

/// <summary>Writes PNG files chunk by chunk, also wrong ones.</summary>
internal sealed class PngBuilder
{
    private readonly MemoryStream _stream = new();

    internal PngBuilder(int width, int height, int depth, int color, bool interlaced = false)
    {
        _stream.Write([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]);
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9], header[12]) = ((byte)depth, (byte)color, interlaced ? (byte)1 : (byte)0);
        Chunk("IHDR", header);
    }

    internal PngBuilder Chunk(string type, params byte[] content)
    {
        byte[] body = [.. System.Text.Encoding.ASCII.GetBytes(type), .. content];
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, content.Length);
        _stream.Write(number);
        _stream.Write(body);
        BinaryPrimitives.WriteUInt32BigEndian(number, Crc32.HashToUInt32(body));
        _stream.Write(number);
        return this;
    }

    /// <summary>The rows, each with a leading filter type, compressed.</summary>
    internal PngBuilder Data(params byte[] rows)
    {
        using var compressed = new MemoryStream();
        using (var zlib = new ZLibStream(compressed, CompressionLevel.Optimal, leaveOpen: true)) zlib.Write(rows);
        return Chunk("IDAT", compressed.ToArray());
    }

    internal byte[] End() => Chunk("IEND").Bytes();

    internal byte[] Bytes() => _stream.ToArray();
}

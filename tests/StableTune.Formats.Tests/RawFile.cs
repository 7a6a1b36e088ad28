using System.Buffers.Binary;
using System.Text;

namespace StableTune.Formats.Tests;

/// <summary>Builds safetensors files by hand, right and wrong ones.</summary>
internal static class RawFile
{
    /// <summary>A file of this header text and this many bytes of data.</summary>
    public static byte[] Bytes(string header, int dataLength = 0) => Bytes(Encoding.UTF8.GetBytes(header), new byte[dataLength]);

    public static byte[] Bytes(ReadOnlySpan<byte> header, ReadOnlySpan<byte> data, ulong? claimedLength = null)
    {
        var bytes = new byte[8 + header.Length + data.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, claimedLength ?? (ulong)header.Length);
        header.CopyTo(bytes.AsSpan(8));
        data.CopyTo(bytes.AsSpan(8 + header.Length));
        return bytes;
    }

    /// <summary>Opens the bytes as a file and closes it again.</summary>
    public static void Open(TemporaryFolder folder, byte[] bytes, Action<SafetensorsFile>? look = null)
    {
        var path = folder.File("test.safetensors");
        File.WriteAllBytes(path, bytes);
        using var file = SafetensorsFile.Open(path);
        look?.Invoke(file);
    }

    /// <summary>A payload of given bytes.</summary>
    public static TensorPayload Payload(string name, TensorDType type, long[] shape, byte[] bytes) =>
        new(name, type, shape, stream => stream.Write(bytes));
}

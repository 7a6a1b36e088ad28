using System.Buffers.Binary;
using System.IO.Compression;

namespace StableTune.Imaging;

/// <summary>Whether a PNG that is not interlaced holds all its pixels: ImageSharp leaves those black that are missing, and says
/// nothing.</summary>
internal static class PngCompleteness
{
    private const int FirstChunk = 8, Depth = 24, ColorType = 25;

    /// <exception cref="InvalidDataException">The pixels end early, or cannot be unpacked.</exception>
    internal static void Check(ReadOnlySpan<byte> file, PixelSize size)
    {
        var values = file[ColorType] switch { 2 => 3, 4 => 2, 6 => 4, _ => 1 };
        var needed = (1 + ((((long)size.Width * values * file[Depth]) + 7) / 8)) * size.Height;
        using var packed = PixelData(file);
        using var unpacked = new ZLibStream(packed, CompressionMode.Decompress);
        var buffer = new byte[1 << 16];
        var missing = needed;
        while (missing > 0 && unpacked.Read(buffer, 0, (int)Math.Min(missing, buffer.Length)) is > 0 and var read) missing -= read;
        if (missing > 0) throw new InvalidDataException($"the Png data are damaged: {missing} of {needed} bytes of pixels are missing");
    }

    private static MemoryStream PixelData(ReadOnlySpan<byte> file)
    {
        var data = new MemoryStream();
        for (var at = FirstChunk; file.Length - at >= 12;)
        {
            var length = BinaryPrimitives.ReadUInt32BigEndian(file[at..]);
            if (length > file.Length - at - 12) break;
            if (file[(at + 4)..].StartsWith("IDAT"u8)) data.Write(file.Slice(at + 8, (int)length));
            at += (int)length + 12;
        }

        data.Position = 0;
        return data;
    }
}

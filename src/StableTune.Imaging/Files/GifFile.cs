using System.Buffers.Binary;

namespace StableTune.Imaging;

/// <summary>The header of a GIF file (version 89a, section 18).</summary>
internal static class GifFile
{
    internal static bool Begins(ReadOnlySpan<byte> start) => start.StartsWith("GIF87a"u8) || start.StartsWith("GIF89a"u8);

    internal static ImageHeader ReadHeader(ByteSource source)
    {
        Span<byte> screen = stackalloc byte[4];
        source.Read(6, screen);
        var size = new PixelSize(BinaryPrimitives.ReadUInt16LittleEndian(screen), BinaryPrimitives.ReadUInt16LittleEndian(screen[2..]));
        return new() { Format = ImageFormat.Gif, StoredSize = size, HasAlpha = true };
    }
}

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
        return new() { Format = ImageFormat.Gif, StoredSize = size, HasAlpha = true, HasFurtherPictures = HasTwo(source) };
    }

    /// <summary>Whether a second image descriptor follows; a file that ends early has none.</summary>
    private static bool HasTwo(ByteSource source)
    {
        const byte image = 0x2C, extension = 0x21, hasTable = 0x80;
        Span<byte> bytes = stackalloc byte[10];
        if (!source.TryRead(10, bytes[..1])) return false;
        var at = 13L + Table(bytes[0]);
        for (var found = 0; source.TryRead(at, bytes[..1]);)
        {
            if (bytes[0] == image)
            {
                if (++found == 2) return true;
                if (!source.TryRead(at, bytes)) return false;
                at += 11 + Table(bytes[9]);
            }
            else if (bytes[0] == extension) at += 2;
            else return false;

            while (source.TryRead(at, bytes[..1]) && bytes[0] > 0) at += 1 + bytes[0];
            at++;
        }

        return false;

        static int Table(byte flags) => (flags & hasTable) == 0 ? 0 : 3 << ((flags & 7) + 1);
    }
}

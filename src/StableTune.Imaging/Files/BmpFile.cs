using System.Buffers.Binary;

namespace StableTune.Imaging;

/// <summary>The headers of a Windows bitmap: size, transparency, completeness.</summary>
internal static class BmpFile
{
    private const int CoreHeader = 12, InfoHeader = 40, HeaderWithAlphaMask = 56, LargestHeader = 124;

    internal static ImageHeader ReadHeader(ByteSource source)
    {
        var layout = ReadLayout(source);
        return new() { Format = ImageFormat.Bmp, StoredSize = layout.Size, HasAlpha = layout.HasAlpha };
    }

    /// <exception cref="InvalidDataException">An uncompressed picture needs more bytes than the file has.</exception>
    internal static void CheckComplete(ReadOnlyMemory<byte> file)
    {
        using var source = new ByteSource(file);
        var layout = ReadLayout(source);
        var stride = ((((long)layout.Size.Width * layout.BitsPerPixel) + 31) / 32) * 4;
        var needed = layout.PixelOffset + (stride * layout.Size.Height);
        if (!layout.RunLength && needed > file.Length)
            throw new InvalidDataException(
                $"the BMP is truncated: {layout.Size} with {layout.BitsPerPixel} bits per pixel needs {needed} bytes, the file has "
                    + $"{file.Length}");
    }

    private static Layout ReadLayout(ByteSource source)
    {
        Span<byte> start = stackalloc byte[26];
        source.Read(0, start);
        var headerSize = BinaryPrimitives.ReadUInt32LittleEndian(start[14..]);
        long offset = BinaryPrimitives.ReadUInt32LittleEndian(start[10..]);
        if (headerSize == CoreHeader)
            return new(new(BinaryPrimitives.ReadUInt16LittleEndian(start[18..]), BinaryPrimitives.ReadUInt16LittleEndian(start[20..])),
                Bits(BinaryPrimitives.ReadUInt16LittleEndian(start[24..])), offset, HasAlpha: false, RunLength: false);
        if (headerSize is < InfoHeader or > LargestHeader)
            throw new InvalidDataException($"the BMP has an unknown header of {headerSize} bytes");
        Span<byte> info = stackalloc byte[LargestHeader];
        info = info[..(int)headerSize];
        source.Read(14, info);
        var (width, height) = (BinaryPrimitives.ReadInt32LittleEndian(info[4..]), BinaryPrimitives.ReadInt32LittleEndian(info[8..]));
        if (width <= 0 || height is 0 or int.MinValue)
            throw new InvalidDataException($"the header gives the impossible size {width}x{height}");
        int bits = BinaryPrimitives.ReadUInt16LittleEndian(info[14..]), compression = BinaryPrimitives.ReadInt32LittleEndian(info[16..]);
        if (compression is not (0 or 1 or 2 or 3))
            throw new InvalidDataException($"the BMP's compression {compression} is not supported: 0 to 3 are");
        // Without masks the fourth byte of a pixel means nothing, and is mostly 0.
        var hasAlpha = bits == 32 && compression == 3 && headerSize >= HeaderWithAlphaMask
            && BinaryPrimitives.ReadUInt32LittleEndian(info[52..]) != 0;
        return new(new(width, Math.Abs(height)), Bits(bits), offset, hasAlpha, compression is 1 or 2);
    }

    private static int Bits(int bits) => bits is 1 or 4 or 8 or 16 or 24 or 32 ? bits
        : throw new InvalidDataException($"the BMP has {bits} bits per pixel; 1, 4, 8, 16, 24 and 32 are known");

    private readonly record struct Layout(PixelSize Size, int BitsPerPixel, long PixelOffset, bool HasAlpha, bool RunLength);
}

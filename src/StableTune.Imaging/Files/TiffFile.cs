using System.Buffers.Binary;

namespace StableTune.Imaging;

/// <summary>The first directory of a TIFF file (revision 6.0, section 2).</summary>
internal static class TiffFile
{
    private const int Width = 256, Height = 257, Bits = 258, Photometric = 262, Orientation = 274, Samples = 277, ExtraSamples = 338;

    private const int ShortType = 3, LongType = 4, MostEntries = 1024;

    internal static bool Begins(ReadOnlySpan<byte> start) => start.StartsWith("II*\0"u8) || start.StartsWith("MM\0*"u8);

    internal static ImageHeader ReadHeader(ByteSource source)
    {
        Span<byte> entry = stackalloc byte[12];
        source.Read(0, entry[..8]);
        var little = entry[0] == 'I';
        var at = UInt32(entry[4..], little);
        source.Read(at, entry[..2]);
        var count = UInt16(entry, little);
        if (count > MostEntries)
            throw new InvalidDataException($"the TIFF's first directory has the improbable number of {count} entries");
        var values = new Dictionary<int, long>();
        for (var i = 0; i < count; i++)
        {
            source.Read(at + 2 + (12L * i), entry);
            if (Value(source, entry, little) is { } value) values.TryAdd(UInt16(entry, little), value);
        }

        var hasNext = source.TryRead(at + 2 + (12L * count), entry[..4]) && UInt32(entry, little) != 0;
        return Header(values) with { HasFurtherPictures = hasNext };
    }

    private static ImageHeader Header(Dictionary<int, long> values)
    {
        var (width, height) = (values.GetValueOrDefault(Width), values.GetValueOrDefault(Height));
        if (width is < 1 or > int.MaxValue || height is < 1 or > int.MaxValue)
            throw new InvalidDataException($"the header gives the impossible size {width}x{height}");
        var orientation = values.GetValueOrDefault(Orientation, 1);
        return new()
        {
            Format = ImageFormat.Tiff,
            StoredSize = new((int)width, (int)height),
            Orientation = orientation is >= 1 and <= 8 ? (int)orientation : 1,
            BitsPerChannel = (int)Math.Clamp(values.GetValueOrDefault(Bits, 1), 1, 64),
            IsGray = values.GetValueOrDefault(Photometric, 1) <= 1 && values.GetValueOrDefault(Samples, 1) == 1,
            HasAlpha = values.ContainsKey(ExtraSamples),
        };
    }

    /// <summary>The first value of an entry; null where it is no whole number.</summary>
    private static long? Value(ByteSource source, ReadOnlySpan<byte> entry, bool little)
    {
        var (type, count) = (UInt16(entry[2..], little), UInt32(entry[4..], little));
        if (type == LongType && count == 1) return UInt32(entry[8..], little);
        if (type != ShortType || count == 0) return null;
        if (count <= 2) return UInt16(entry[8..], little);
        Span<byte> first = stackalloc byte[2];
        return source.TryRead(UInt32(entry[8..], little), first) ? UInt16(first, little) : null;
    }

    private static int UInt16(ReadOnlySpan<byte> bytes, bool little)
        => little ? BinaryPrimitives.ReadUInt16LittleEndian(bytes) : BinaryPrimitives.ReadUInt16BigEndian(bytes);

    private static long UInt32(ReadOnlySpan<byte> bytes, bool little)
        => little ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : BinaryPrimitives.ReadUInt32BigEndian(bytes);
}

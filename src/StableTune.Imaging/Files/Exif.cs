using System.Buffers.Binary;

namespace StableTune.Imaging;

/// <summary>The one field of EXIF that matters here.</summary>
internal static class Exif
{
    private const int OrientationTag = 0x0112, ShortType = 3;

    /// <summary>The longest prefix of a metadata block worth reading: the first directory stands near its beginning.</summary>
    internal const int MaxBytes = 1 << 16;

    /// <summary>Orientation from a TIFF block (with or without the leading "Exif\0\0"); 1 where it is absent or senseless.</summary>
    internal static int Orientation(ReadOnlySpan<byte> block)
    {
        if (block.StartsWith("Exif\0\0"u8)) block = block[6..];
        if (block.Length < 8) return 1;
        var little = block.StartsWith("II*\0"u8);
        if (!little && !block.StartsWith("MM\0*"u8)) return 1;
        var directory = Int32(block[4..], little);
        if (directory > block.Length - 2) return 1;
        var entries = Int16(block[(int)directory..], little);
        for (var i = 0; i < entries; i++)
        {
            var at = directory + 2 + (12L * i);
            if (at + 12 > block.Length) return 1;
            var entry = block.Slice((int)at, 12);
            if (Int16(entry, little) != OrientationTag) continue;
            var value = Int16(entry[8..], little);
            return Int16(entry[2..], little) == ShortType && value is >= 1 and <= 8 ? value : 1;
        }

        return 1;
    }

    private static int Int16(ReadOnlySpan<byte> bytes, bool little)
        => little ? BinaryPrimitives.ReadUInt16LittleEndian(bytes) : BinaryPrimitives.ReadUInt16BigEndian(bytes);

    private static long Int32(ReadOnlySpan<byte> bytes, bool little)
        => little ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : BinaryPrimitives.ReadUInt32BigEndian(bytes);
}

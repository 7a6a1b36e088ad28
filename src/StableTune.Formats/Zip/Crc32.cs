using System.Buffers.Binary;

namespace StableTune.Formats;

/// <summary>The checksum of zip archives (polynomial 0xEDB88320, reflected), 16 bytes at a time.</summary>
internal static class Crc32
{
    private const int Slices = 16;

    private static readonly uint[] Tables = Build();

    /// <summary>Goes on from a checksum; begin with 0.</summary>
    public static uint Append(uint crc, ReadOnlySpan<byte> bytes)
    {
        var tables = Tables;
        crc = ~crc;
        for (; bytes.Length >= Slices; bytes = bytes[Slices..])
        {
            var a = BinaryPrimitives.ReadUInt64LittleEndian(bytes) ^ crc;
            var b = BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]);
            crc = Eight(tables, a, 8) ^ Eight(tables, b, 0);
        }

        foreach (var value in bytes) crc = tables[(byte)(crc ^ value)] ^ (crc >> 8);
        return ~crc;
    }

    /// <summary>The part of eight bytes behind which as many bytes follow as <paramref name="behind"/> says.</summary>
    private static uint Eight(uint[] tables, ulong value, int behind) =>
        tables[((behind + 7) << 8) | (byte)value] ^ tables[((behind + 6) << 8) | (byte)(value >> 8)] ^
        tables[((behind + 5) << 8) | (byte)(value >> 16)] ^ tables[((behind + 4) << 8) | (byte)(value >> 24)] ^
        tables[((behind + 3) << 8) | (byte)(value >> 32)] ^ tables[((behind + 2) << 8) | (byte)(value >> 40)] ^
        tables[((behind + 1) << 8) | (byte)(value >> 48)] ^ tables[(behind << 8) | (byte)(value >> 56)];

    /// <summary>Table k: what a byte makes of the checksum when k zero bytes follow it.</summary>
    private static uint[] Build()
    {
        var tables = new uint[Slices << 8];
        for (var i = 0u; i < 256; i++)
        {
            var crc = i;
            for (var bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? 0xEDB88320 ^ (crc >> 1) : crc >> 1;
            tables[i] = crc;
        }

        for (var i = 256; i < tables.Length; i++) tables[i] = tables[(byte)tables[i - 256]] ^ (tables[i - 256] >> 8);
        return tables;
    }
}

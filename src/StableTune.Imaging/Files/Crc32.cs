namespace StableTune.Imaging;

/// <summary>The checksum of PNG chunks (ISO 3309, polynomial 0xEDB88320), eight bytes at a time.</summary>
internal static class Crc32
{
    private static readonly uint[][] s_tables = MakeTables();

    internal static uint Compute(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        var t = s_tables;
        for (; bytes.Length >= 8; bytes = bytes[8..])
        {
            var low = crc ^ System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(bytes);
            crc = t[7][low & 255] ^ t[6][(low >> 8) & 255] ^ t[5][(low >> 16) & 255] ^ t[4][low >> 24]
                ^ t[3][bytes[4]] ^ t[2][bytes[5]] ^ t[1][bytes[6]] ^ t[0][bytes[7]];
        }

        foreach (var value in bytes) crc = t[0][(crc ^ value) & 255] ^ (crc >> 8);
        return ~crc;
    }

    private static uint[][] MakeTables()
    {
        var tables = new uint[8][];
        for (var k = 0; k < 8; k++)
        {
            tables[k] = new uint[256];
            for (var i = 0u; i < 256; i++)
            {
                var crc = k == 0 ? i : tables[k - 1][i];
                for (var bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? 0xEDB88320 ^ (crc >> 1) : crc >> 1;
                tables[k][i] = crc;
            }
        }

        return tables;
    }
}

using System.Buffers.Binary;
using System.IO.Hashing;

namespace StableTune.Imaging.Tests;

/// <summary>Spoils files by chance.</summary>
internal static class DamagedFiles
{
    /// <summary>A few bytes changed, sometimes cut short. Half of the changes hit the first 200 bytes, where the structure is.</summary>
    internal static byte[] Mutate(byte[] original, Random random)
    {
        var file = original.ToArray();
        for (var change = random.Next(1, 8); change > 0; change--)
        {
            var at = random.Next(random.Next(2) == 0 ? Math.Min(200, file.Length) : file.Length);
            file[at] = random.Next(3) switch { 0 => (byte)random.Next(256), 1 => (byte)(file[at] ^ (1 << random.Next(8))),
                _ => random.Next(2) == 0 ? (byte)255 : (byte)0 };
        }

        return random.Next(5) == 0 ? file[..random.Next(file.Length)] : file;
    }

    /// <summary>Mends a PNG's checksums: otherwise nothing but them would ever be tried.</summary>
    internal static void RepairChecksums(byte[] file)
    {
        for (long at = 8; at + 12 <= file.Length;)
        {
            long length = BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan((int)at));
            if (at + 12 + length > file.Length) return;
            var crc = Crc32.HashToUInt32(file.AsSpan((int)at + 4, (int)length + 4));
            BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan((int)(at + 8 + length)), crc);
            at += 12 + length;
        }
    }
}

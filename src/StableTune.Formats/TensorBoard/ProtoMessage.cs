using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace StableTune.Formats;

/// <summary>A message in the wire form of Protocol Buffers, as far as event files need it.</summary>
internal sealed class ProtoMessage
{
    private const int Varint = 0, Bits64 = 1, Bytes = 2, Bits32 = 5;

    private readonly MemoryStream _data = new();

    /// <summary>What was written so far.</summary>
    public ReadOnlySpan<byte> Data => _data.GetBuffer().AsSpan(0, (int)_data.Length);

    /// <summary>A whole number; negative ones take ten bytes.</summary>
    public ProtoMessage Whole(int field, long value)
    {
        Key(field, Varint);
        Number((ulong)value);
        return this;
    }

    /// <summary>A number of eight bytes.</summary>
    public ProtoMessage Double(int field, double value)
    {
        Key(field, Bits64);
        Span<byte> bytes = stackalloc byte[sizeof(double)];
        BinaryPrimitives.WriteDoubleLittleEndian(bytes, value);
        _data.Write(bytes);
        return this;
    }

    /// <summary>Numbers of eight bytes in one field.</summary>
    public ProtoMessage Doubles(int field, IReadOnlyCollection<double> values)
    {
        var packed = new byte[values.Count * sizeof(double)];
        foreach (var (value, index) in values.Select((value, index) => (value, index)))
            BinaryPrimitives.WriteDoubleLittleEndian(packed.AsSpan(index * sizeof(double)), value);
        return Raw(field, packed);
    }

    /// <summary>A number of four bytes.</summary>
    public ProtoMessage Single(int field, float value)
    {
        Key(field, Bits32);
        Span<byte> bytes = stackalloc byte[sizeof(float)];
        BinaryPrimitives.WriteSingleLittleEndian(bytes, value);
        _data.Write(bytes);
        return this;
    }

    /// <summary>A text.</summary>
    public ProtoMessage Text(int field, string value) => Raw(field, Encoding.UTF8.GetBytes(value));

    /// <summary>A message within this one.</summary>
    public ProtoMessage Message(int field, ProtoMessage value) => Raw(field, value.Data);

    /// <summary>Bytes.</summary>
    public ProtoMessage Raw(int field, ReadOnlySpan<byte> value)
    {
        Key(field, Bytes);
        Number((ulong)value.Length);
        _data.Write(value);
        return this;
    }

    private void Key(int field, int kind) => Number((ulong)(field << 3 | kind));

    private void Number(ulong value)
    {
        while (value >= 0x80)
        {
            _data.WriteByte((byte)(value | 0x80));
            value >>= 7;
        }

        _data.WriteByte((byte)value);
    }

    /// <summary>CRC-32C, masked as records of TensorFlow have it.</summary>
    public static uint MaskedCrc(ReadOnlySpan<byte> data)
    {
        var crc = uint.MaxValue;
        foreach (var value in data) crc = BitOperations.Crc32C(crc, value);
        crc = ~crc;
        return BitOperations.RotateRight(crc, 15) + 0xA282EAD8;
    }
}

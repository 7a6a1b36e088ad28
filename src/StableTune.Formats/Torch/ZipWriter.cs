using System.Buffers.Binary;
using System.Text;

namespace StableTune.Formats;

/// <summary>
/// Writes a zip archive as torch does, from the first byte to the last without going back: entries stored as they are, the bytes of each at a
/// multiple of 64, checksum and sizes behind them. Numbers of 64 bits are used where 32 do not suffice.
/// </summary>
internal sealed class ZipWriter(Stream stream)
{
    private const int Alignment = 64;

    /// <summary>The id under which torch hides padding in the extra field: "FB".</summary>
    private const ushort PaddingId = 0x4246;

    /// <summary>Names are UTF-8; checksum and sizes follow the bytes.</summary>
    private const ushort Flags = 0x0808;

    private readonly List<(byte[] Name, uint Crc, long Length, long Offset)> _entries = [];
    private long _position;

    /// <summary>Writes an entry.</summary>
    /// <param name="name">Its name in the archive.</param>
    /// <param name="length">The number of bytes that <paramref name="write"/> will write.</param>
    /// <param name="write">Writes them.</param>
    public void Add(string name, long length, Action<Stream> write)
    {
        var bytes = Encoding.UTF8.GetBytes(name);
        var offset = _position;
        var large = length >= uint.MaxValue;
        Header(bytes, large);
        var body = new BodyStream(stream);
        write(body);
        _position += body.Length;
        if (body.Length != length) throw new InvalidOperationException($"Entry '{name}' wrote {body.Length} bytes instead of {length}.");
        var end = new Fields(stackalloc byte[24]);
        end.Put4(0x08074B50);
        end.Put4(body.Crc);
        end.PutSize(length, large);
        end.PutSize(length, large);
        Emit(end.Written);
        _entries.Add((bytes, body.Crc, length, offset));
    }

    /// <summary>Writes the directory.</summary>
    public void Finish()
    {
        var start = _position;
        foreach (var (name, crc, length, offset) in _entries) Directory(name, crc, length, offset);
        var size = _position - start;
        if (_entries.Count >= ushort.MaxValue || start >= uint.MaxValue || size >= uint.MaxValue) LargeEnd(start, size);
        var end = new Fields(stackalloc byte[22]);
        end.Put4(0x06054B50);
        end.Put4(0);
        end.Put2((int)Math.Min(_entries.Count, ushort.MaxValue));
        end.Put2((int)Math.Min(_entries.Count, ushort.MaxValue));
        end.Put4((uint)Math.Min(size, uint.MaxValue));
        end.Put4((uint)Math.Min(start, uint.MaxValue));
        end.Put2(0);
        Emit(end.Written);
    }

    private void Header(byte[] name, bool large)
    {
        var largeField = large ? 20 : 0;
        var padding = (int)(-(_position + 30 + name.Length + largeField + 4) & (Alignment - 1));
        var fields = new Fields(stackalloc byte[54]);
        fields.Put4(0x04034B50);
        fields.Put2(large ? 45 : 20);
        fields.Put2(Flags);
        fields.Put2(0);
        fields.Put4(DosTime);
        fields.Put4(0);
        fields.Put4(large ? uint.MaxValue : 0);
        fields.Put4(large ? uint.MaxValue : 0);
        fields.Put2(name.Length);
        fields.Put2(largeField + 4 + padding);
        Emit(fields.Written);
        Emit(name);
        fields = new Fields(stackalloc byte[24 + Alignment]);
        if (large)
        {
            fields.Put2(1);
            fields.Put2(16);
            fields.Put8(0);
            fields.Put8(0);
        }

        fields.Put2(PaddingId);
        fields.Put2(padding);
        for (var i = 0; i < padding; i++) fields.Put1((byte)'Z');
        Emit(fields.Written);
    }

    private void Directory(byte[] name, uint crc, long length, long offset)
    {
        var (largeLength, largeOffset) = (length >= uint.MaxValue, offset >= uint.MaxValue);
        var extra = (largeLength ? 16 : 0) + (largeOffset ? 8 : 0);
        var fields = new Fields(stackalloc byte[46]);
        fields.Put4(0x02014B50);
        fields.Put2(extra > 0 ? 45 : 20);
        fields.Put2(extra > 0 ? 45 : 20);
        fields.Put2(Flags);
        fields.Put2(0);
        fields.Put4(DosTime);
        fields.Put4(crc);
        fields.PutSize(largeLength ? uint.MaxValue : length, false);
        fields.PutSize(largeLength ? uint.MaxValue : length, false);
        fields.Put2(name.Length);
        fields.Put2(extra > 0 ? extra + 4 : 0);
        fields.Put2(0);
        fields.Put2(0);
        fields.Put2(0);
        fields.Put4(0);
        fields.Put4(largeOffset ? uint.MaxValue : (uint)offset);
        Emit(fields.Written);
        Emit(name);
        if (extra == 0) return;
        fields = new Fields(stackalloc byte[28]);
        fields.Put2(1);
        fields.Put2(extra);
        if (largeLength) fields.Put8(length);
        if (largeLength) fields.Put8(length);
        if (largeOffset) fields.Put8(offset);
        Emit(fields.Written);
    }

    private void LargeEnd(long start, long size)
    {
        var position = _position;
        var fields = new Fields(stackalloc byte[76]);
        fields.Put4(0x06064B50);
        fields.Put8(44);
        fields.Put2(45);
        fields.Put2(45);
        fields.Put8(0);
        fields.Put8(_entries.Count);
        fields.Put8(_entries.Count);
        fields.Put8(size);
        fields.Put8(start);
        fields.Put4(0x07064B50);
        fields.Put4(0);
        fields.Put8(position);
        fields.Put4(1);
        Emit(fields.Written);
    }

    /// <summary>1 January 1980, the beginning of zip's calendar: equal content gives equal files.</summary>
    private const uint DosTime = 0x00210000;

    private void Emit(ReadOnlySpan<byte> bytes)
    {
        stream.Write(bytes);
        _position += bytes.Length;
    }

    /// <summary>Little-endian numbers one after another.</summary>
    private ref struct Fields(Span<byte> bytes)
    {
        private readonly Span<byte> _bytes = bytes;
        private int _count;

        public readonly ReadOnlySpan<byte> Written => _bytes[.._count];

        public void Put1(byte value) => _bytes[_count++] = value;

        public void Put2(int value)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(_bytes[_count..], checked((ushort)value));
            _count += 2;
        }

        public void Put4(uint value)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(_bytes[_count..], value);
            _count += 4;
        }

        public void Put8(long value)
        {
            BinaryPrimitives.WriteInt64LittleEndian(_bytes[_count..], value);
            _count += 8;
        }

        public void PutSize(long value, bool large)
        {
            if (large) Put8(value);
            else Put4(checked((uint)value));
        }
    }

    /// <summary>Passes bytes on and computes their checksum.</summary>
    private sealed class BodyStream(Stream inner) : WriteOnlyStream
    {
        private long _length;

        public uint Crc { get; private set; }

        public override long Length => _length;

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            Crc = Crc32.Append(Crc, buffer);
            _length += buffer.Length;
            inner.Write(buffer);
        }
    }
}

using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;

namespace StableTune.Formats;

/// <summary>Writes a zip archive of entries stored as they are. Which of the format's liberties are taken, so that files are byte by byte
/// those of another program, derived classes say.</summary>
/// <param name="stream">Gets the archive.</param>
/// <param name="limit">The largest size and place that is written as a number of 32 bits.</param>
/// <param name="mostEntries">The largest number of entries that is written as one of 16 bits.</param>
internal abstract class ZipWriter(Stream stream, long limit, int mostEntries)
{
    private readonly List<Entry> _entries = [];

    /// <summary>What the directory says of an entry.</summary>
    protected sealed record Entry(byte[] Name, long Length, long Offset, uint Checksum);

    /// <summary>How many bytes of the archive are written.</summary>
    protected long Position { get; private set; }

    /// <summary>Adds an entry.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="length">How many bytes it will have.</param>
    /// <param name="write">Writes exactly so many bytes.</param>
    /// <exception cref="ArgumentException">The name has more than 65,535 bytes.</exception>
    /// <exception cref="InvalidOperationException">Another number of bytes was written.</exception>
    public void Add(string name, long length, Action<Stream> write)
    {
        var bytes = Encoding.UTF8.GetBytes(name);
        if (bytes.Length > ushort.MaxValue)
            throw new ArgumentException($"The name '{name[..40]}...' is too long for an archive.", nameof(name));
        var offset = Position;
        Emit(Header(bytes, length));
        var body = new BodyStream(stream);
        write(body);
        Position += body.Length;
        if (body.Length != length) throw new InvalidOperationException($"Entry '{name}' wrote {body.Length} bytes instead of {length}.");
        var entry = new Entry(bytes, length, offset, body.Checksum);
        WriteChecksum(entry);
        _entries.Add(entry);
    }

    /// <summary>Writes the directory.</summary>
    public void Finish()
    {
        var start = Position;
        foreach (var entry in _entries) Emit(Directory(entry));
        var end = Position;
        long size = end - start, count = _entries.Count;
        if (count > mostEntries || IsLarge(start) || IsLarge(size))
            Emit(new Fields()
                .Four(0x06064B50).Eight(44).Two(45).Two(45).Four(0).Four(0).Eight(count).Eight(count).Eight(size).Eight(start)
                .Four(0x07064B50).Four(0).Eight(end).Four(1));
        Emit(new Fields()
            .Four(0x06054B50).Four(0).Two((ushort)Math.Min(count, ushort.MaxValue)).Two((ushort)Math.Min(count, ushort.MaxValue))
            .Four((uint)Math.Min(size, uint.MaxValue)).Four((uint)Math.Min(start, uint.MaxValue)).Two(0));
    }

    /// <summary>What stands before an entry's bytes.</summary>
    protected abstract Fields Header(byte[] name, long length);

    /// <summary>Tells the checksum, now that it is known.</summary>
    protected abstract void WriteChecksum(Entry entry);

    /// <summary>What the directory says of an entry.</summary>
    protected abstract Fields Directory(Entry entry);

    /// <summary>Whether a size or place is written as a number of 64 bits.</summary>
    protected bool IsLarge(long value) => value > limit;

    /// <summary>Writes at the end.</summary>
    protected void Emit(Fields fields)
    {
        stream.Write(fields.Written);
        Position += fields.Written.Length;
    }

    /// <summary>Little-endian numbers in a row.</summary>
    protected sealed class Fields
    {
        private readonly MemoryStream _bytes = new();

        public ReadOnlySpan<byte> Written => _bytes.GetBuffer().AsSpan(0, (int)_bytes.Length);

        public Fields Two(int value) => Put(checked((ushort)value), 2);

        public Fields Four(uint value) => Put(value, 4);

        public Fields Eight(long value) => Put((ulong)value, 8);

        public Fields Bytes(ReadOnlySpan<byte> bytes)
        {
            _bytes.Write(bytes);
            return this;
        }

        private Fields Put(ulong value, int size)
        {
            Span<byte> bytes = stackalloc byte[8];
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
            return Bytes(bytes[..size]);
        }
    }

    /// <summary>Passes bytes on, counts them and computes their checksum.</summary>
    private sealed class BodyStream(Stream inner) : WriteOnlyStream
    {
        private readonly Crc32 _checksum = new();
        private long _length;

        public uint Checksum => _checksum.GetCurrentHashAsUInt32();

        public override long Length => _length;

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            _checksum.Append(buffer);
            _length += buffer.Length;
            inner.Write(buffer);
        }
    }
}

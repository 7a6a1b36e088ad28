using System.Buffers.Binary;
using System.Text;

namespace StableTune.Formats;

/// <summary>Writes a zip archive of entries stored as they are, byte by byte as Python's zipfile does when it does not know sizes beforehand
/// (every entry announces 64-bit sizes). The stream must be able to seek: checksums are put in afterwards.</summary>
internal sealed class StoredZip(Stream stream)
{
    /// <summary>From here on Python writes 64-bit numbers.</summary>
    private const long Limit = int.MaxValue;

    private const ushort Version = 45, Unix = 3 << 8, Utf8Names = 0x800, Date1980 = 0x21;

    /// <summary>Readable and writable by the owner.</summary>
    private const uint Attributes = 0x180u << 16;

    private readonly List<(byte[] Name, long Length, long Offset, uint Checksum)> _entries = [];

    /// <summary>Adds an entry.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="length">How many bytes it will have.</param>
    /// <param name="write">Writes exactly so many bytes.</param>
    public void Add(string name, long length, Action<Stream> write)
    {
        var nameBytes = Encoding.UTF8.GetBytes(name);
        if (nameBytes.Length > ushort.MaxValue) throw new ArgumentException($"The name '{name[..40]}...' is too long for an archive.", nameof(name));
        var offset = stream.Position;
        var header = new Fields()
            .Four(0x04034B50).Two(Version).Two(FlagsOf(nameBytes)).Two(0).Two(0).Two(Date1980).Four(0).Four(uint.MaxValue).Four(uint.MaxValue)
            .Two((ushort)nameBytes.Length).Two(20).Bytes(nameBytes).Two(1).Two(16).Eight(length).Eight(length);
        stream.Write(header.ToArray());
        var checksum = new ChecksumStream(stream);
        write(checksum);
        var end = stream.Position;
        stream.Position = offset + 14;
        stream.Write(new Fields().Four(checksum.Checksum).ToArray());
        stream.Position = end;
        _entries.Add((nameBytes, length, offset, checksum.Checksum));
    }

    /// <summary>Writes the directory.</summary>
    public void Finish()
    {
        var start = stream.Position;
        foreach (var (name, length, offset, checksum) in _entries) WriteEntry(name, length, offset, checksum);
        var end = stream.Position;
        long size = end - start, count = _entries.Count;
        if (count > ushort.MaxValue || start > Limit || size > Limit)
            stream.Write(new Fields()
                .Four(0x06064B50).Eight(44).Two(Version).Two(Version).Four(0).Four(0).Eight(count).Eight(count).Eight(size).Eight(start)
                .Four(0x07064B50).Four(0).Eight(end).Four(1).ToArray());
        stream.Write(new Fields()
            .Four(0x06054B50).Two(0).Two(0).Two((ushort)Math.Min(count, ushort.MaxValue)).Two((ushort)Math.Min(count, ushort.MaxValue))
            .Four((uint)Math.Min(size, uint.MaxValue)).Four((uint)Math.Min(start, uint.MaxValue)).Two(0).ToArray());
    }

    private void WriteEntry(byte[] name, long length, long offset, uint checksum)
    {
        var extra = new Fields();
        if (length > Limit) extra.Eight(length).Eight(length);
        if (offset > Limit) extra.Eight(offset);
        var extraBytes = extra.ToArray();
        if (extraBytes.Length > 0) extraBytes = new Fields().Two(1).Two((ushort)extraBytes.Length).Bytes(extraBytes).ToArray();
        var shown = length > Limit ? uint.MaxValue : (uint)length;
        stream.Write(new Fields()
            .Four(0x02014B50).Two(Version | Unix).Two(Version).Two(FlagsOf(name)).Two(0).Two(0).Two(Date1980).Four(checksum).Four(shown).Four(shown)
            .Two((ushort)name.Length).Two((ushort)extraBytes.Length).Two(0).Two(0).Two(0).Four(Attributes)
            .Four(offset > Limit ? uint.MaxValue : (uint)offset).Bytes(name).Bytes(extraBytes).ToArray());
    }

    private static ushort FlagsOf(byte[] name) => Ascii.IsValid(name) ? (ushort)0 : Utf8Names;

    /// <summary>Little-endian numbers in a row.</summary>
    private sealed class Fields
    {
        private readonly MemoryStream _bytes = new();

        public Fields Two(ushort value) => Put(value, 2);

        public Fields Four(uint value) => Put(value, 4);

        public Fields Eight(long value) => Put((ulong)value, 8);

        public Fields Bytes(byte[] bytes)
        {
            _bytes.Write(bytes);
            return this;
        }

        public byte[] ToArray() => _bytes.ToArray();

        private Fields Put(ulong value, int size)
        {
            Span<byte> bytes = stackalloc byte[8];
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
            _bytes.Write(bytes[..size]);
            return this;
        }
    }

    /// <summary>Passes bytes on and keeps their checksum.</summary>
    private sealed class ChecksumStream(Stream inner) : WriteOnlyStream
    {
        public uint Checksum { get; private set; }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            Checksum = Crc32.Append(Checksum, buffer);
            inner.Write(buffer);
        }
    }
}

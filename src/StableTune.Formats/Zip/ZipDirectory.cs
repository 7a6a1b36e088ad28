using System.Buffers.Binary;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace StableTune.Formats;

/// <summary>One entry of a zip archive, as its directory tells.</summary>
/// <param name="Name">Its name in the archive.</param>
/// <param name="Method">How it is stored: 0 = as it is, 8 = deflated.</param>
/// <param name="Flags">Bit 0: encrypted.</param>
/// <param name="StoredLength">The number of bytes in the archive; the same as <paramref name="Length"/> when stored as it is.</param>
/// <param name="Length">The number of bytes when unpacked.</param>
/// <param name="Checksum">The CRC-32 of the unpacked bytes.</param>
/// <param name="HeaderOffset">Where in the file its own header begins.</param>
internal readonly record struct ZipEntry(
    string Name, int Method, int Flags, long StoredLength, long Length, uint Checksum, long HeaderOffset);

/// <summary>
/// The directory of a zip archive, which stands at its end. Only this is read: weights are read from where their entries lie in the
/// file, which System.IO.Compression does not tell.
/// </summary>
internal sealed class ZipDirectory
{
    /// <summary>A directory of that many bytes would have a million entries.</summary>
    private const long MaximumLength = 64 << 20;

    private const string Damaged = "The file is damaged or was not fully written: download or save it again.";

    private const int EndLength = 22, LocatorLength = 20, End64Length = 56, EntryLength = 46, HeaderLength = 30;

    private readonly SafeFileHandle _file;
    private readonly string _path;
    private readonly long _fileLength;
    private readonly Dictionary<string, ZipEntry> _entries = new(StringComparer.Ordinal);

    private ZipDirectory(SafeFileHandle file, string path) => (_file, _path, _fileLength) = (file, path, RandomAccess.GetLength(file));

    /// <summary>The entries, in the order of the directory.</summary>
    public List<ZipEntry> Entries { get; } = [];

    /// <summary>Reads the directory.</summary>
    /// <exception cref="InvalidFileException">The archive has no directory, or a damaged one.</exception>
    public static ZipDirectory Read(SafeFileHandle file, string path)
    {
        var zip = new ZipDirectory(file, path);
        var (count, length, offset) = zip.FindDirectory();
        if (offset < 0 || length < 0 || (Int128)offset + length > zip._fileLength || length > MaximumLength)
            throw zip.Fault($"its directory should lie at {offset} with {length} bytes, but the file has {zip._fileLength}");
        var bytes = new byte[length];
        FileBytes.Read(file, bytes, offset, path);
        zip.ReadEntries(bytes, count);
        return zip;
    }

    /// <summary>The entry of this name.</summary>
    public bool TryGet(string name, out ZipEntry entry) => _entries.TryGetValue(name, out entry);

    /// <summary>Where the bytes of an entry, perhaps compressed, lie in the file; they lie within it.</summary>
    /// <exception cref="InvalidFileException">The entry is encrypted, or its header is damaged.</exception>
    public long DataOffset(in ZipEntry entry)
    {
        var name = Quote(entry.Name);
        if ((entry.Flags & 1) != 0) throw Fault($"its entry {name} is encrypted", "Decrypt the file first.");
        Span<byte> header = stackalloc byte[HeaderLength];
        if (entry.HeaderOffset > _fileLength - HeaderLength)
            throw Fault($"its entry {name} should begin at {entry.HeaderOffset}, but the file has {_fileLength} bytes");
        FileBytes.Read(_file, header, entry.HeaderOffset, _path);
        var offset = entry.HeaderOffset + HeaderLength + Number2(header[26..]) + Number2(header[28..]);
        if (Number4(header) != 0x04034B50) throw Fault($"its entry {name} has no header at byte {entry.HeaderOffset}");
        if ((Int128)offset + entry.StoredLength > _fileLength)
            throw Fault($"its entry {name} of {entry.StoredLength} bytes at {offset} reaches beyond the file's {_fileLength}");
        return offset;
    }

    private (long Count, long Length, long Offset) FindDirectory()
    {
        var tail = new byte[(int)Math.Min(_fileLength, EndLength + ushort.MaxValue)];
        FileBytes.Read(_file, tail, _fileLength - tail.Length, _path);
        for (var at = tail.Length - EndLength; at >= 0; at--)
        {
            var end = tail.AsSpan(at);
            if (Number4(end) != 0x06054B50 || Number2(end[20..]) != end.Length - EndLength) continue;
            if (at >= LocatorLength && Number4(tail.AsSpan(at - LocatorLength)) == 0x07064B50)
                return FindLarge(tail.AsSpan(at - LocatorLength));
            if (Number2(end[4..]) != 0 || Number2(end[6..]) != 0)
                throw Fault("it is one of several parts of an archive", "Join the parts first.");
            return (Number2(end[10..]), Number4(end[12..]), Number4(end[16..]));
        }

        throw new InvalidFileException(_path, "the zip archive is truncated: the directory at its end is missing.", Damaged);
    }

    /// <summary>The directory's place in archives of 4 GB and more, which torch writes for smaller ones as well.</summary>
    private (long Count, long Length, long Offset) FindLarge(ReadOnlySpan<byte> locator)
    {
        var position = Number8(locator[8..]);
        Span<byte> end = stackalloc byte[End64Length];
        if (position > _fileLength - End64Length || position < 0)
            throw Fault($"its directory's end should lie at {position}, but the file has {_fileLength} bytes");
        FileBytes.Read(_file, end, position, _path);
        return Number4(end) == 0x06064B50 ? (Number8(end[32..]), Number8(end[40..]), Number8(end[48..]))
            : throw Fault($"its directory's end at {position} is damaged");
    }

    private void ReadEntries(ReadOnlySpan<byte> bytes, long count)
    {
        while (bytes.Length > 0)
        {
            if (bytes.Length < EntryLength || Number4(bytes) != 0x02014B50)
                throw Fault($"its directory is damaged behind entry {Entries.Count}");
            var (nameLength, extraLength, commentLength) = (Number2(bytes[28..]), Number2(bytes[30..]), Number2(bytes[32..]));
            if (bytes.Length < EntryLength + nameLength + extraLength + commentLength)
                throw Fault($"its directory ends within entry {Entries.Count}");
            Add(bytes[..EntryLength], bytes.Slice(EntryLength, nameLength), bytes.Slice(EntryLength + nameLength, extraLength));
            bytes = bytes[(EntryLength + nameLength + extraLength + commentLength)..];
        }

        if (Entries.Count != count) throw Fault($"its directory has {Entries.Count} entries, but {count} are announced");
    }

    private void Add(ReadOnlySpan<byte> fixedPart, ReadOnlySpan<byte> nameBytes, ReadOnlySpan<byte> extra)
    {
        var name = Encoding.UTF8.GetString(nameBytes);
        long stored = Number4(fixedPart[20..]), length = Number4(fixedPart[24..]), offset = Number4(fixedPart[42..]);
        if (length == uint.MaxValue || stored == uint.MaxValue || offset == uint.MaxValue)
            ReadLarge(extra, name, ref length, ref stored, ref offset);
        var method = Number2(fixedPart[10..]);
        if (length < 0 || stored < 0 || offset < 0 || (method == 0 && stored != length))
            throw Fault($"its entry {Quote(name)} has the impossible sizes {stored} and {length} at {offset}");
        var entry = new ZipEntry(name, method, Number2(fixedPart[8..]), stored, length, Number4(fixedPart[16..]), offset);
        if (!_entries.TryAdd(name, entry)) throw Fault($"its entry {Quote(name)} occurs twice");
        Entries.Add(entry);
    }

    /// <summary>Numbers that take more than 32 bits stand in an extra field, in this order, each only if its place is full.</summary>
    private void ReadLarge(ReadOnlySpan<byte> extra, string name, ref long length, ref long stored, ref long offset)
    {
        while (extra.Length >= 4)
        {
            var (id, size) = (Number2(extra), Number2(extra[2..]));
            if (size > extra.Length - 4) break;
            var field = extra.Slice(4, size);
            extra = extra[(4 + size)..];
            if (id != 1) continue;
            if (!Take(ref field, ref length) || !Take(ref field, ref stored) || !Take(ref field, ref offset)) break;
            return;
        }

        throw Fault($"its entry {Quote(name)} lacks the 64-bit sizes that it announces");

        static bool Take(ref ReadOnlySpan<byte> field, ref long number)
        {
            if (number != uint.MaxValue) return true;
            if (field.Length < 8) return false;
            number = Number8(field);
            field = field[8..];
            return true;
        }
    }

    /// <summary>A name for messages: shortened, without control characters.</summary>
    private static string Quote(string name)
    {
        var shown = new string([.. name.Take(80).Select(c => char.IsControl(c) ? '?' : c)]);
        return $"'{shown}{(name.Length > 80 ? "..." : "")}'";
    }

    private InvalidFileException Fault(string what, string remedy = Damaged) => new(_path, $"the zip archive is damaged: {what}.", remedy);

    private static ushort Number2(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt16LittleEndian(bytes);

    private static uint Number4(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt32LittleEndian(bytes);

    private static long Number8(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadInt64LittleEndian(bytes);
}

using System.IO.Compression;
using System.IO.Hashing;
using Microsoft.Win32.SafeHandles;

namespace StableTune.Formats;

/// <summary>One array of an <c>.npz</c> file: where it lies and what its header says.</summary>
/// <param name="Info">What it is.</param>
/// <param name="Entry">Its entry in the archive.</param>
/// <param name="EntryOffset">Where the entry's bytes begin in the file.</param>
/// <param name="Header">The array's own header.</param>
/// <param name="HeaderChecksum">The checksum of that header.</param>
internal sealed record NpzMember(TensorInfo Info, ZipEntry Entry, long EntryOffset, NpyHeader Header, Crc32 HeaderChecksum)
{
    private const int Stored = 0, Deflated = 8;

    /// <summary>Deflate makes at most 1032 bytes of one: an entry that claims more lies.</summary>
    private const long MaximumRatio = 1032;

    /// <summary>Whether the elements lie in the file as they are to be.</summary>
    public bool IsPlain => Entry.Method == Stored && !Header.Columnwise;

    /// <summary>Reads an entry's header.</summary>
    public static NpzMember Read(ZipDirectory zip, in ZipEntry entry, SafeFileHandle file, string path)
    {
        var name = entry.Name[..^".npy".Length];
        var faults = new NpyFaults(path, name);
        if (entry.Method is not (Stored or Deflated))
            throw faults.Fault($"it is compressed by method {entry.Method}, and 0 (stored) and 8 (deflated) are known.",
            "Save it with numpy.savez.");
        if (entry.Method == Deflated && entry.Length / MaximumRatio > entry.StoredLength + 64)
            throw faults.Fault($"its {entry.StoredLength} bytes cannot unpack to {entry.Length}.");
        var offset = zip.DataOffset(entry);
        var header = ReadHeader(entry, offset, file, path, faults);
        var parsed = NpyHeader.Parse(header, entry.Length, faults);
        if (parsed.ByteCount > Array.MaxLength && (entry.Method != Stored || parsed.Columnwise))
            throw faults.Fault($"its {parsed.ByteCount} bytes would have to be unpacked, more than one array in memory can hold.",
                "Save it with numpy.savez, in several parts.");
        var begin = entry.Method == Stored ? offset + header.Length : offset;
        var info = new TensorInfo(name, parsed.DType, parsed.Shape, begin, begin + parsed.ByteCount);
        var checksum = new Crc32();
        checksum.Append(header);
        return new NpzMember(info, entry, offset, parsed, checksum);
    }

    /// <summary>Holds the whole data, as it lies in the archive, against the checksum.</summary>
    public void Check(ReadOnlySpan<byte> data, string path)
    {
        var checksum = HeaderChecksum.Clone();
        checksum.Append(data);
        if (checksum.GetCurrentHashAsUInt32() != Entry.Checksum)
            throw new NpyFaults(path, Info.Name).Fault("its bytes do not give the checksum that the archive tells.");
    }

    /// <summary>The elements row by row, in memory.</summary>
    public byte[] Unpack(SafeFileHandle file, string path)
    {
        var bytes = new byte[Info.ByteCount];
        if (Entry.Method == Stored) FileBytes.Read(file, bytes, EntryOffset + Header.Length, path);
        else
        {
            using var stream = Inflate(file, EntryOffset, Entry.StoredLength);
            try
            {
                stream.ReadExactly(new byte[Header.Length]);
                stream.ReadExactly(bytes);
            }
            catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
            {
                throw Undeflatable(new NpyFaults(path, Info.Name), e);
            }
        }

        Check(bytes, path);
        return Header.Columnwise ? ColumnOrder.ToRows(bytes, Header) : bytes;
    }

    private static byte[] ReadHeader(in ZipEntry entry, long offset, SafeFileHandle file, string path, NpyFaults faults)
    {
        Span<byte> start = stackalloc byte[(int)Math.Min(NpyHeader.StartLength, entry.Length)];
        if (entry.Method == Stored)
        {
            FileBytes.Read(file, start, offset, path);
            var header = new byte[NpyHeader.LengthOf(start, entry.Length, faults)];
            FileBytes.Read(file, header, offset, path);
            return header;
        }

        try
        {
            using var stream = Inflate(file, offset, entry.StoredLength);
            stream.ReadExactly(start);
            var header = new byte[NpyHeader.LengthOf(start, entry.Length, faults)];
            start[..Math.Min(start.Length, header.Length)].CopyTo(header);
            if (header.Length > start.Length) stream.ReadExactly(header.AsSpan(start.Length));
            return header.Length >= start.Length ? header : throw faults.Truncated(header.Length);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw Undeflatable(faults, e);
        }
    }

    private static InvalidFileException Undeflatable(NpyFaults faults, Exception cause) =>
        faults.Fault($"its bytes cannot be unpacked ({cause.Message.TrimEnd('.')}).");

    private static DeflateStream Inflate(SafeFileHandle file, long offset, long length) =>
        new(new FilePart(file, offset, length), CompressionMode.Decompress);
}

using System.Buffers.Binary;

namespace StableTune.Torch.Loading;

/// <summary>A Linux library (ELF, 64 bits, little endian), read as the system's loader reads it.</summary>
/// <remarks>
/// By program headers and the dynamic table. Reads are checked against the length: a file that is not as expected gives an
/// <see cref="InvalidDataException"/>.
/// </remarks>
internal readonly ref struct ElfFile
{
    private const uint LoadSegment = 1, DynamicSegment = 2;
    private const int HeaderBytes = 64, ProgramHeaderBytes = 56, DynamicEntryBytes = 16, MostDynamicEntries = 4096;
    private readonly ReadOnlySpan<byte> _bytes;
    private readonly ulong _programHeaders;
    private readonly int _programHeaderCount;

    /// <exception cref="InvalidDataException">The bytes are no 64-bit little-endian ELF file.</exception>
    internal ElfFile(ReadOnlySpan<byte> bytes)
    {
        _bytes = bytes;
        if (bytes.Length < HeaderBytes || !bytes.StartsWith("\u007fELF"u8)) throw Unexpected("it is no ELF file");
        if (bytes[4] != 2 || bytes[5] != 1) throw Unexpected("it is not a 64-bit little-endian ELF file");
        _programHeaders = U64(0x20);
        _programHeaderCount = U16(0x38);
        if (U16(0x36) != ProgramHeaderBytes) throw Unexpected("its program headers have an unknown size");
    }

    internal ushort U16(ulong offset) => BinaryPrimitives.ReadUInt16LittleEndian(Slice(offset, 2));

    internal uint U32(ulong offset) => BinaryPrimitives.ReadUInt32LittleEndian(Slice(offset, 4));

    internal ulong U64(ulong offset) => BinaryPrimitives.ReadUInt64LittleEndian(Slice(offset, 8));

    /// <summary>The bytes of a text that ends in a zero byte, without that byte.</summary>
    internal ReadOnlySpan<byte> Text(ulong offset)
    {
        var rest = Slice(offset, 0, toEnd: true);
        var length = rest.IndexOf((byte)0);
        return length >= 0 ? rest[..length] : throw Unexpected("a name in it has no end");
    }

    /// <summary>The value of the dynamic table's entry with this tag; null when the table has none.</summary>
    internal ulong? Dynamic(ulong tag)
    {
        for (var header = 0; header < _programHeaderCount; header++)
        {
            var at = ProgramHeader(header);
            if (U32(at) != DynamicSegment) continue;
            var (table, count) = (U64(at + 8), Math.Min(U64(at + 32) / DynamicEntryBytes, MostDynamicEntries));
            for (ulong entry = 0; entry < count && U64(Sum(table, entry * DynamicEntryBytes)) is var found && found != 0; entry++)
            {
                if (found == tag) return U64(Sum(table, entry * DynamicEntryBytes + 8));
            }
        }
        return null;
    }

    /// <summary>Where in the file the byte lies that is loaded at an address.</summary>
    internal ulong OffsetOf(ulong address)
    {
        for (var header = 0; header < _programHeaderCount; header++)
        {
            var at = ProgramHeader(header);
            if (U32(at) != LoadSegment) continue;
            var (offset, start, length) = (U64(at + 8), U64(at + 16), U64(at + 32));
            if (address >= start && address - start < length) return Sum(offset, address - start);
        }
        throw Unexpected("an address in it belongs to no segment");
    }

    /// <summary>The sum of two offsets; no file reaches beyond 64 bits.</summary>
    internal static ulong Sum(ulong left, ulong right)
        => left <= ulong.MaxValue - right ? left + right : throw Unexpected("an offset in it is too large");

    internal static InvalidDataException Unexpected(string what) => new($"the file is not as expected: {what}");

    private ulong ProgramHeader(int index) => Sum(_programHeaders, (ulong)index * ProgramHeaderBytes);

    private ReadOnlySpan<byte> Slice(ulong offset, int length, bool toEnd = false)
    {
        if (offset > (ulong)_bytes.Length || (ulong)length > (ulong)_bytes.Length - offset) throw Unexpected("it ends too early");
        return toEnd ? _bytes[(int)offset..] : _bytes.Slice((int)offset, length);
    }
}

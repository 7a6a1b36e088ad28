using System.Text;

namespace StableTune.Formats;

/// <summary>
/// Writes a zip archive as Python's zipfile does when it does not know sizes beforehand (every entry announces 64-bit sizes). The stream
/// must be able to seek,
/// and be at its beginning: checksums are put in afterwards.
/// </summary>
internal sealed class NumpyZipWriter(Stream stream) : ZipWriter(stream, int.MaxValue, ushort.MaxValue)
{
    private readonly Stream _stream = stream;

    private const ushort Version = 45, Unix = 3 << 8, Utf8Names = 0x800, Date1980 = 0x21;

    /// <summary>Readable and writable by the owner.</summary>
    private const uint Attributes = 0x180u << 16;

    /// <inheritdoc/>
    protected override Fields Header(byte[] name, long length) => new Fields()
        .Four(0x04034B50).Two(Version).Two(FlagsOf(name)).Two(0).Two(0).Two(Date1980).Four(0).Four(uint.MaxValue).Four(uint.MaxValue)
        .Two(name.Length).Two(20).Bytes(name).Two(1).Two(16).Eight(length).Eight(length);

    /// <inheritdoc/>
    protected override void WriteChecksum(Entry entry)
    {
        var end = _stream.Position;
        _stream.Position = entry.Offset + 14;
        _stream.Write(new Fields().Four(entry.Checksum).Written);
        _stream.Position = end;
    }

    /// <inheritdoc/>
    protected override Fields Directory(Entry entry)
    {
        var (largeLength, largeOffset) = (IsLarge(entry.Length), IsLarge(entry.Offset));
        var extra = (largeLength ? 16 : 0) + (largeOffset ? 8 : 0);
        var length = largeLength ? uint.MaxValue : (uint)entry.Length;
        var fields = new Fields()
            .Four(0x02014B50).Two(Version | Unix).Two(Version).Two(FlagsOf(entry.Name)).Two(0).Two(0).Two(Date1980).Four(entry.Checksum)
                .Four(length).Four(length)
            .Two(entry.Name.Length).Two(extra > 0 ? extra + 4 : 0).Two(0).Two(0).Two(0).Four(Attributes)
                .Four(largeOffset ? uint.MaxValue : (uint)entry.Offset).Bytes(entry.Name);
        if (extra > 0) fields.Two(1).Two(extra);
        if (largeLength) fields.Eight(entry.Length).Eight(entry.Length);
        if (largeOffset) fields.Eight(entry.Offset);
        return fields;
    }

    private static ushort FlagsOf(byte[] name) => Ascii.IsValid(name) ? (ushort)0 : Utf8Names;
}

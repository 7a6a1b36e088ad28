namespace StableTune.Formats;

/// <summary>
/// Writes a zip archive as torch does, from the first byte to the last without going back: the bytes of each entry at a multiple of 64,
/// checksum and sizes behind them. Numbers of 64 bits are used where 32 do not suffice.
/// </summary>
internal sealed class TorchZipWriter(Stream stream) : ZipWriter(stream, uint.MaxValue - 1L, ushort.MaxValue - 1)
{
    private const int Alignment = 64;

    /// <summary>The id under which torch hides padding in the extra field: "FB".</summary>
    private const ushort PaddingId = 0x4246;

    /// <summary>Names are UTF-8; checksum and sizes follow the bytes.</summary>
    private const ushort Flags = 0x0808;

    /// <summary>1 January 1980, the beginning of zip's calendar: equal content gives equal files.</summary>
    private const uint DosTime = 0x00210000;

    private static readonly byte[] Padding = [.. Enumerable.Repeat((byte)'Z', Alignment)];

    /// <inheritdoc/>
    protected override Fields Header(byte[] name, long length)
    {
        var large = IsLarge(length);
        var largeField = large ? 20 : 0;
        var padding = (int)(-(Position + 30 + name.Length + largeField + 4) & (Alignment - 1));
        var fields = new Fields()
            .Four(0x04034B50).Two(large ? 45 : 20).Two(Flags).Two(0).Four(DosTime).Four(0).Four(large ? uint.MaxValue : 0)
                .Four(large ? uint.MaxValue : 0)
            .Two(name.Length).Two(largeField + 4 + padding).Bytes(name);
        if (large) fields.Two(1).Two(16).Eight(0).Eight(0);
        return fields.Two(PaddingId).Two(padding).Bytes(Padding.AsSpan(0, padding));
    }

    /// <inheritdoc/>
    protected override void WriteChecksum(Entry entry)
    {
        var fields = new Fields().Four(0x08074B50).Four(entry.Checksum);
        Emit(IsLarge(entry.Length) ? fields.Eight(entry.Length).Eight(entry.Length)
            : fields.Four((uint)entry.Length).Four((uint)entry.Length));
    }

    /// <inheritdoc/>
    protected override Fields Directory(Entry entry)
    {
        var (largeLength, largeOffset) = (IsLarge(entry.Length), IsLarge(entry.Offset));
        var extra = (largeLength ? 16 : 0) + (largeOffset ? 8 : 0);
        var length = largeLength ? uint.MaxValue : (uint)entry.Length;
        var fields = new Fields()
            .Four(0x02014B50).Two(extra > 0 ? 45 : 20).Two(extra > 0 ? 45 : 20).Two(Flags).Two(0).Four(DosTime).Four(entry.Checksum)
                .Four(length).Four(length)
            .Two(entry.Name.Length).Two(extra > 0 ? extra + 4 : 0).Two(0).Two(0).Two(0).Four(0)
                .Four(largeOffset ? uint.MaxValue : (uint)entry.Offset).Bytes(entry.Name);
        if (extra > 0) fields.Two(1).Two(extra);
        if (largeLength) fields.Eight(entry.Length).Eight(entry.Length);
        if (largeOffset) fields.Eight(entry.Offset);
        return fields;
    }
}

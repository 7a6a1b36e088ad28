using System.Buffers.Binary;

namespace StableTune.Imaging;

/// <summary>The header of an AVIF file: the properties of its primary item (ISO/IEC 23008-12, sections 6 and 9; AVIF 1.1).</summary>
internal static class AvifFile
{
    /// <summary>Real files have some dozens of boxes in some hundred bytes.</summary>
    private const int MostBoxes = 4096, MostBytes = 1 << 20;

    internal static bool Begins(ReadOnlySpan<byte> start, ByteSource source)
    {
        if (start.Length < 12 || !start[4..].StartsWith("ftyp"u8)) return false;
        var brands = new byte[Math.Clamp(BinaryPrimitives.ReadUInt32BigEndian(start), 12, 256) - 8];
        if (!source.TryRead(8, brands)) return false;
        for (var i = 0; i + 4 <= brands.Length; i += 4)
            if (i != 4 && (brands.AsSpan(i).StartsWith("avif"u8) || brands.AsSpan(i).StartsWith("avis"u8))) return true;
        return false;
    }

    internal static ImageHeader ReadHeader(ByteSource source)
    {
        ReadOnlySpan<byte> meta = Meta(source), properties = default;
        if (meta.Length < 4) throw new InvalidDataException("the AVIF's meta box is empty");
        uint primary = 0;
        foreach (var box in new Boxes(meta[4..]))
            if (box.Is("pitm"u8)) primary = Primary(box.Content);
            else if (box.Is("iprp"u8)) properties = box.Content;
        Span<byte> brand = stackalloc byte[4];
        return Header(properties, primary) with { HasFurtherPictures = source.TryRead(8, brand) && brand.SequenceEqual("avis"u8) };
    }

    private static byte[] Meta(ByteSource source)
    {
        Span<byte> head = stackalloc byte[16];
        var at = 0L;
        for (var i = 0; i < MostBoxes && source.TryRead(at, head[..8]); i++)
        {
            long length = BinaryPrimitives.ReadUInt32BigEndian(head), start = 8;
            if (length == 1 && source.TryRead(at, head)) (length, start) = (BinaryPrimitives.ReadInt64BigEndian(head[8..]), 16);
            else if (length == 0) length = source.Length - at;
            if (length < start || length > source.Length - at) break;
            if (head[4..].StartsWith("meta"u8))
            {
                if (length > MostBytes)
                    throw new InvalidDataException($"the AVIF's meta box has {length} bytes; at most {MostBytes} are read");
                var content = new byte[length - start];
                source.Read(at + start, content);
                return content;
            }

            at += length;
        }

        throw new InvalidDataException("the AVIF holds no whole meta box, which would tell its size: it may be truncated");
    }

    private static uint Primary(ReadOnlySpan<byte> box)
        => box.Length < 6 ? 0 : box[0] == 0 || box.Length < 8 ? BinaryPrimitives.ReadUInt16BigEndian(box[4..])
            : BinaryPrimitives.ReadUInt32BigEndian(box[4..]);

    /// <summary>Follows the properties of the primary item in their order, as they are applied: size, clean aperture, rotation.</summary>
    private static ImageHeader Header(ReadOnlySpan<byte> properties, uint primary)
    {
        ReadOnlySpan<byte> container = default;
        List<int> associated = [];
        foreach (var box in new Boxes(properties))
            if (box.Is("ipco"u8)) container = box.Content;
            else if (box.Is("ipma"u8)) associated.AddRange(Associated(box.Content, primary));
        var (size, bits, hasAlpha, number) = (default(PixelSize), 8, false, 0);
        foreach (var box in new Boxes(container)) hasAlpha |= box.Is("auxC"u8) && box.Content.IndexOf("auxiliary:alpha"u8) >= 0;
        foreach (var wanted in associated)
        {
            number = 0;
            foreach (var box in new Boxes(container))
                if (++number == wanted) (size, bits) = Apply(box, size, bits);
        }

        return new() { Format = ImageFormat.Avif, StoredSize = size, BitsPerChannel = bits, HasAlpha = hasAlpha };
    }

    private static (PixelSize Size, int Bits) Apply(Box box, PixelSize size, int bits)
    {
        var content = box.Content;
        if (box.Is("ispe"u8) && content.Length >= 12) return (new(Side(content[4..]), Side(content[8..])), bits);
        if (box.Is("clap"u8) && content.Length >= 16) return (new(Quotient(content), Quotient(content[8..])), bits);
        if (box.Is("irot"u8) && content.Length >= 1 && (content[0] & 1) != 0) return (size.Transposed, bits);
        return box.Is("pixi"u8) && content.Length >= 6 ? (size, content[5]) : (size, bits);
    }

    private static int Side(ReadOnlySpan<byte> bytes) => (int)Math.Min(BinaryPrimitives.ReadUInt32BigEndian(bytes), int.MaxValue);

    private static int Quotient(ReadOnlySpan<byte> bytes)
        => BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]) is > 0 and var below
            ? (int)Math.Min(BinaryPrimitives.ReadUInt32BigEndian(bytes) / below, int.MaxValue) : 0;

    /// <summary>The numbers, from 1, of the properties of an item.</summary>
    private static List<int> Associated(ReadOnlySpan<byte> box, uint item)
    {
        var found = new List<int>();
        if (box.Length < 8) return found;
        var (longItems, longNumbers, count) = (box[0] > 0, (box[3] & 1) != 0, BinaryPrimitives.ReadUInt32BigEndian(box[4..]));
        var at = 8;
        for (uint i = 0; i < count && box.Length - at >= (longItems ? 5 : 3); i++)
        {
            var id = longItems ? BinaryPrimitives.ReadUInt32BigEndian(box[at..]) : BinaryPrimitives.ReadUInt16BigEndian(box[at..]);
            at += longItems ? 4 : 2;
            int properties = box[at++];
            for (var k = 0; k < properties && box.Length - at >= (longNumbers ? 2 : 1); k++)
            {
                if (id == item) found.Add(longNumbers ? BinaryPrimitives.ReadUInt16BigEndian(box[at..]) & 0x7FFF : box[at] & 0x7F);
                at += longNumbers ? 2 : 1;
            }
        }

        return found;
    }

    private readonly ref struct Box(ReadOnlySpan<byte> type, ReadOnlySpan<byte> content)
    {
        private readonly ReadOnlySpan<byte> _type = type;

        internal ReadOnlySpan<byte> Content { get; } = content;

        internal bool Is(ReadOnlySpan<byte> name) => _type.SequenceEqual(name);
    }

    /// <summary>The boxes that lie in another one; what follows a broken one is left out.</summary>
    private ref struct Boxes(ReadOnlySpan<byte> rest)
    {
        private ReadOnlySpan<byte> _rest = rest;
        private int _left = MostBoxes;

        public Box Current { get; private set; }

        public readonly Boxes GetEnumerator() => this;

        public bool MoveNext()
        {
            if (_rest.Length < 8 || _left-- == 0) return false;
            long length = BinaryPrimitives.ReadUInt32BigEndian(_rest);
            if (length == 0) length = _rest.Length;
            if (length < 8 || length > _rest.Length) return false;
            Current = new(_rest.Slice(4, 4), _rest[8..(int)length]);
            _rest = _rest[(int)length..];
            return true;
        }
    }
}

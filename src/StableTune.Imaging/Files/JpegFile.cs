using System.Buffers.Binary;

namespace StableTune.Imaging;

/// <summary>The segments of a JPEG file (ITU-T T.81): header, orientation, completeness, and the copy that goes to the decoder.</summary>
internal static class JpegFile
{
    private const byte EndOfImage = 0xD9, StartOfScan = 0xDA, App1 = 0xE1;

    internal static ImageHeader ReadHeader(ByteSource source)
    {
        var orientation = 1;
        Span<byte> bytes = stackalloc byte[10];
        for (var at = 2L; ;)
        {
            source.Read(at, bytes[..2]);
            if (bytes[0] != 0xFF) throw new InvalidDataException($"the JPEG has no marker at byte {at}, where a segment should begin");
            var marker = bytes[1];
            if (marker == 0xFF || IsAlone(marker))
            {
                at += marker == 0xFF ? 1 : 2;   // fill bytes may precede a marker
                continue;
            }

            if (marker is EndOfImage or StartOfScan) throw new InvalidDataException("the JPEG has no frame header before its pixels");
            source.Read(at, bytes[..4]);
            var length = BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]);
            if (length < 2)
                throw new InvalidDataException($"the JPEG's segment FF{marker:X2} at byte {at} has the impossible length {length}");
            if (IsFrame(marker))
            {
                source.Read(at, bytes);
                return Frame(bytes, orientation);
            }

            if (marker == App1 && orientation == 1) orientation = ReadOrientation(source, at + 4, length - 2);
            at += 2 + length;
        }
    }

    /// <summary>
    /// Copies the file up to the end of its picture, without metadata (APP1 to APP13, comments): no parser beyond the frame's sees it.
    /// JFIF's and Adobe's segments stay, as they tell the colours.
    /// </summary>
    /// <param name="file">The whole file.</param>
    /// <param name="destination">At least as long as the file.</param>
    /// <returns>The number of bytes written.</returns>
    /// <exception cref="InvalidDataException">The file ends before its end-of-image marker.</exception>
    internal static int CopyPixels(ReadOnlySpan<byte> file, Span<byte> destination)
    {
        file[..2].CopyTo(destination);
        var (at, written) = (2, 2);
        while (true)
        {
            if (file.Length - at < 2) throw Truncated(file.Length);
            var (start, marker) = (at, file[at + 1]);
            if (file[at] != 0xFF) throw new InvalidDataException($"the JPEG has no marker at byte {at}, where a segment should begin");
            if (marker == 0xFF)
            {
                at++;
                continue;
            }

            at += 2;
            if (marker != EndOfImage && !IsAlone(marker))
            {
                if (file.Length - at < 2) throw Truncated(file.Length);
                at += BinaryPrimitives.ReadUInt16BigEndian(file[at..]);
                if (at > file.Length) throw Truncated(file.Length);
                if (marker == StartOfScan) at = EndOfScan(file, at);
            }

            if (marker is >= App1 and <= 0xED or 0xFE) continue;
            file[start..at].CopyTo(destination[written..]);
            written += at - start;
            if (marker == EndOfImage) return written;
        }
    }

    // Within a scan FF is followed by 00 (a value of 255), by a restart marker, or by the marker that ends it.
    private static int EndOfScan(ReadOnlySpan<byte> file, int at)
    {
        while (true)
        {
            var next = file[at..].IndexOf((byte)0xFF);
            if (next < 0 || at + next + 1 >= file.Length) throw Truncated(file.Length);
            at += next;
            var code = file[at + 1];
            if (code is 0 or (>= 0xD0 and <= 0xD7)) at += 2;
            else if (code == 0xFF) at++;
            else return at;
        }
    }

    private static ImageHeader Frame(ReadOnlySpan<byte> segment, int orientation)
    {
        var (bits, components) = (segment[4], segment[9]);
        var size = new PixelSize(BinaryPrimitives.ReadUInt16BigEndian(segment[7..]), BinaryPrimitives.ReadUInt16BigEndian(segment[5..]));
        if (bits != 8) throw new InvalidDataException($"the JPEG has {bits} bits per value; only 8 are supported");
        if (components is not (1 or 3 or 4))
            throw new InvalidDataException($"the JPEG has {components} components; 1 (grey), 3 (colour) and 4 (CMYK) are supported");
        return new() { Format = ImageFormat.Jpeg, StoredSize = size, Orientation = orientation, IsGray = components == 1,
            IsCmyk = components == 4 };
    }

    private static int ReadOrientation(ByteSource source, long at, int length)
    {
        Span<byte> name = stackalloc byte[6];
        if (length < 6 || !source.TryRead(at, name) || !name.SequenceEqual("Exif\0\0"u8)) return 1;
        var block = new byte[length];
        source.Read(at, block);
        return Exif.Orientation(block);
    }

    private static bool IsAlone(byte marker) => marker is 0x01 or (>= 0xD0 and <= 0xD8);

    private static bool IsFrame(byte marker) => marker is >= 0xC0 and <= 0xCF and not (0xC4 or 0xC8 or 0xCC);

    private static InvalidDataException Truncated(int length)
        => new($"the JPEG is truncated: it ends after {length} bytes, before its end-of-image marker");
}

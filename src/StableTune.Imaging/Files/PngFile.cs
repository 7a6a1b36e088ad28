using System.Buffers.Binary;
using System.IO.Hashing;

namespace StableTune.Imaging;

/// <summary>The chunks of a PNG file (W3C PNG, third edition): header, completeness, and the copy that goes to the decoder.</summary>
internal static class PngFile
{
    private const int Palette = 3, GrayAlpha = 4;

    internal static ReadOnlySpan<byte> Signature => [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A];

    internal static ImageHeader ReadHeader(ByteSource source)
    {
        Span<byte> start = stackalloc byte[33];
        source.Read(0, start);
        var first = start[8..];
        if (BinaryPrimitives.ReadUInt32BigEndian(first) != 13 || !first[4..].StartsWith("IHDR"u8))
            throw new InvalidDataException("the PNG does not begin with an IHDR chunk of 13 bytes");
        if (Crc32.HashToUInt32(first.Slice(4, 17)) != BinaryPrimitives.ReadUInt32BigEndian(first[21..]))
            throw new InvalidDataException("the PNG's IHDR chunk has a wrong checksum");
        var (width, height) = (BinaryPrimitives.ReadUInt32BigEndian(first[8..]), BinaryPrimitives.ReadUInt32BigEndian(first[12..]));
        if (width is 0 or > int.MaxValue || height is 0 or > int.MaxValue)
            throw new InvalidDataException($"the header gives the impossible size {width}x{height}");
        int depth = first[16], color = first[17];
        var header = new ImageHeader
        {
            Format = ImageFormat.Png,
            StoredSize = new((int)width, (int)height),
            BitsPerChannel = color == Palette ? 8 : depth,
            IsGray = color == 0,
            HasAlpha = color is 4 or 6,
        };
        return WithAncillary(source, header, color);
    }

    // What matters beside IHDR stands before the pixels: walk to the first IDAT.
    private static ImageHeader WithAncillary(ByteSource source, ImageHeader header, int color)
    {
        Span<byte> chunk = stackalloc byte[8], frames = stackalloc byte[4];
        for (var at = 33L; source.TryRead(at, chunk); at += 12L + BinaryPrimitives.ReadUInt32BigEndian(chunk))
        {
            var length = BinaryPrimitives.ReadUInt32BigEndian(chunk);
            var type = chunk.Slice(4, 4);
            if (type.SequenceEqual("IDAT"u8) || type.SequenceEqual("IEND"u8)) break;
            if (type.SequenceEqual("eXIf"u8) && length <= Exif.MaxBytes)
            {
                var block = new byte[length];
                source.Read(at + 8, block);
                header = header with { Orientation = Exif.Orientation(block) };
            }
            else if (type.SequenceEqual("acTL"u8) && length >= 4)
            {
                header = header with { HasFurtherPictures = source.TryRead(at + 8, frames)
                    && BinaryPrimitives.ReadUInt32BigEndian(frames) > 1 };
            }
            else if (type.SequenceEqual("tRNS"u8) && (color != 0 || (length == 2 && header.BitsPerChannel <= 8)))
                header = header with { HasAlpha = true };
        }

        return header;
    }

    /// <summary>
    /// Copies the chunks that hold pixels, and no others: metadata cannot disturb the decoder, colour profiles cannot make it print
    /// warnings, and an animation becomes its first picture.
    /// </summary>
    /// <param name="file">The whole file.</param>
    /// <param name="keepAlpha">Whether tRNS is kept.</param>
    /// <param name="destination">At least as long as the file.</param>
    /// <returns>The number of bytes written.</returns>
    /// <exception cref="InvalidDataException">The file ends before its IEND chunk, or has no pixels.</exception>
    internal static int CopyPixels(ReadOnlySpan<byte> file, bool keepAlpha, Span<byte> destination)
    {
        file[..8].CopyTo(destination);
        var (written, hasPixels) = (8, false);
        for (var at = 8; ;)
        {
            if (file.Length - at < 12) throw Truncated(file.Length, hasPixels);
            var length = BinaryPrimitives.ReadUInt32BigEndian(file[at..]);
            if (length > file.Length - at - 12) throw Truncated(file.Length, hasPixels);
            ReadOnlySpan<byte> type = file.Slice(at + 4, 4), whole = file.Slice(at, (int)length + 12);
            hasPixels |= type.SequenceEqual("IDAT"u8);
            var ends = type.SequenceEqual("IEND"u8);
            // An upper-case first letter marks what a decoder must know.
            if ((type[0] & 0x20) == 0 || (keepAlpha && type.SequenceEqual("tRNS"u8)))
            {
                whole.CopyTo(destination[written..]);
                written += whole.Length;
            }

            at += whole.Length;
            if (ends) return hasPixels ? written : throw new InvalidDataException("the PNG holds no pixels (no IDAT chunk)");
        }
    }

    /// <summary>
    /// Of grey with 16 bits, the file of grey and alpha with 8 that has the same bytes, filters and order: the low byte arrives as alpha.
    /// </summary>
    /// <param name="file">The whole file.</param>
    internal static byte[] GrayWithLowByteAsAlpha(ReadOnlySpan<byte> file)
    {
        byte[] result = [.. file];
        (result[24], result[25]) = (8, GrayAlpha);
        BinaryPrimitives.WriteUInt32BigEndian(result.AsSpan(29), Crc32.HashToUInt32(result.AsSpan(12, 17)));
        return result;
    }

    /// <summary>Why a decoder gave up, if a checksum can tell; else null.</summary>
    internal static string? FindDamage(ReadOnlySpan<byte> file)
    {
        for (var at = 8; file.Length - at >= 12;)
        {
            var length = BinaryPrimitives.ReadUInt32BigEndian(file[at..]);
            if (length > file.Length - at - 12) break;
            var content = file.Slice(at + 4, (int)length + 4);
            if (Crc32.HashToUInt32(content) != BinaryPrimitives.ReadUInt32BigEndian(file[(at + 8 + (int)length)..]))
                return $"the chunk {System.Text.Encoding.ASCII.GetString(content[..4])} at byte {at} has a wrong checksum";
            at += (int)length + 12;
        }

        return null;
    }

    private static InvalidDataException Truncated(int length, bool hasPixels)
        => new($"the PNG is truncated: it ends after {length} bytes, {(hasPixels ? "without an IEND chunk" : "before its pixels")}");
}

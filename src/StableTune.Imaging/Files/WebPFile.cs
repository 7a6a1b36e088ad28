using System.Buffers.Binary;

namespace StableTune.Imaging;

/// <summary>The chunks of a WebP file (RFC 9649): header, orientation, completeness, and an animation's first frame.</summary>
internal static class WebPFile
{
    private const int AlphaFlag = 0x10, AnimationFlag = 0x02;

    internal static ImageHeader ReadHeader(ByteSource source)
    {
        Span<byte> chunk = stackalloc byte[18];
        source.Read(12, chunk);
        var data = chunk[8..];
        if (chunk.StartsWith("VP8X"u8))
        {
            var (orientation, frames) = ReadChunks(source);
            return new()
            {
                Format = ImageFormat.WebP,
                StoredSize = new(1 + UInt24(data[4..]), 1 + UInt24(data[7..])),
                HasAlpha = (data[0] & AlphaFlag) != 0,
                Orientation = orientation,
                HasFurtherPictures = (data[0] & AnimationFlag) != 0 && frames > 1,
            };
        }

        if (chunk.StartsWith("VP8L"u8)) return Lossless(data);
        if (!chunk.StartsWith("VP8 "u8)) throw new InvalidDataException("the WebP begins with no chunk VP8, VP8L or VP8X");
        if (!data[3..].StartsWith((ReadOnlySpan<byte>)[0x9D, 0x01, 0x2A]))
            throw new InvalidDataException("the WebP's VP8 frame has no start code");
        return new()
        {
            Format = ImageFormat.WebP,
            StoredSize = new(BinaryPrimitives.ReadUInt16LittleEndian(data[6..]) & 0x3FFF,
                BinaryPrimitives.ReadUInt16LittleEndian(data[8..]) & 0x3FFF),
        };
    }

    /// <summary>Copies a still picture as it is; of an animation, writes a still file with the first frame.</summary>
    /// <param name="file">The whole file.</param>
    /// <param name="canvas">The size that the header gives.</param>
    /// <param name="destination">At least 30 bytes longer than the file.</param>
    /// <param name="frame">Where the copied picture lies on the canvas; the whole canvas for a still picture.</param>
    /// <returns>The number of bytes written.</returns>
    /// <exception cref="InvalidDataException">The file is shorter than it says, or the animation holds no picture.</exception>
    internal static int CopyPixels(ReadOnlySpan<byte> file, PixelSize canvas, Span<byte> destination, out Frame frame)
    {
        var end = 8L + BinaryPrimitives.ReadUInt32LittleEndian(file[4..]);
        if (end > file.Length)
            throw new InvalidDataException($"the WebP is truncated: it says it has {end} bytes, the file has {file.Length}");
        file = file[..(int)end];
        frame = new(0, 0, canvas);
        if (file.Length < 30) throw new InvalidDataException("the WebP's RIFF header says that it has no room for a picture");
        if (!file[12..].StartsWith("VP8X"u8) || (file[20] & AnimationFlag) == 0)
        {
            file.CopyTo(destination);
            return file.Length;
        }

        for (var at = 12; file.Length - at >= 8;)
        {
            var length = BinaryPrimitives.ReadUInt32LittleEndian(file[(at + 4)..]);
            if (length > file.Length - at - 8) break;
            var body = file.Slice(at + 8, (int)length);
            if (file[at..].StartsWith("ANMF"u8) && length > 16)
            {
                frame = new(2 * UInt24(body), 2 * UInt24(body[3..]), new(1 + UInt24(body[6..]), 1 + UInt24(body[9..])));
                if (frame.X + frame.Size.Width > canvas.Width || frame.Y + frame.Size.Height > canvas.Height)
                    throw new InvalidDataException(
                        $"the WebP's first frame, {frame.Size} at ({frame.X}, {frame.Y}), does not lie within the canvas of {canvas}");
                return WriteStill(frame.Size, body[16..], destination);
            }

            at += 8 + (int)Math.Min(length + (length & 1), int.MaxValue / 2);
        }

        throw new InvalidDataException("the WebP says that it is an animation, but holds no whole frame");
    }

    /// <summary>A picture's place on the canvas of an animation.</summary>
    internal readonly record struct Frame(int X, int Y, PixelSize Size);

    private static int WriteStill(PixelSize size, ReadOnlySpan<byte> chunks, Span<byte> destination)
    {
        "RIFF"u8.CopyTo(destination);
        BinaryPrimitives.WriteInt32LittleEndian(destination[4..], 22 + chunks.Length);
        "WEBPVP8X"u8.CopyTo(destination[8..]);
        BinaryPrimitives.WriteInt32LittleEndian(destination[16..], 10);
        BinaryPrimitives.WriteInt32LittleEndian(destination[20..], chunks.StartsWith("VP8 "u8) ? 0 : AlphaFlag);
        WriteUInt24(destination[24..], size.Width - 1);
        WriteUInt24(destination[27..], size.Height - 1);
        chunks.CopyTo(destination[30..]);
        return 30 + chunks.Length;
    }

    private static ImageHeader Lossless(ReadOnlySpan<byte> data)
    {
        if (data[0] != 0x2F) throw new InvalidDataException("the WebP's VP8L chunk has no signature");
        var bits = BinaryPrimitives.ReadUInt32LittleEndian(data[1..]);
        return new()
        {
            Format = ImageFormat.WebP,
            StoredSize = new(1 + (int)(bits & 0x3FFF), 1 + (int)((bits >> 14) & 0x3FFF)),
            HasAlpha = ((bits >> 28) & 1) != 0,
        };
    }

    /// <summary>The orientation that an EXIF chunk tells, and the number of an animation's frames.</summary>
    private static (int Orientation, int Frames) ReadChunks(ByteSource source)
    {
        Span<byte> chunk = stackalloc byte[8];
        var (orientation, frames) = (1, 0);
        for (var at = 12L; source.TryRead(at, chunk);)
        {
            var length = BinaryPrimitives.ReadUInt32LittleEndian(chunk[4..]);
            if (chunk.StartsWith("ANMF"u8)) frames++;
            if (chunk.StartsWith("EXIF"u8))
            {
                var block = new byte[Math.Min(length, Exif.MaxBytes)];
                if (source.TryRead(at + 8, block)) orientation = Exif.Orientation(block);
            }

            at += 8L + length + (length & 1);
        }

        return (orientation, frames);
    }

    private static int UInt24(ReadOnlySpan<byte> bytes) => bytes[0] | (bytes[1] << 8) | (bytes[2] << 16);

    private static void WriteUInt24(Span<byte> bytes, int value) => (bytes[0], bytes[1], bytes[2]) =
        ((byte)value, (byte)(value >> 8), (byte)(value >> 16));
}

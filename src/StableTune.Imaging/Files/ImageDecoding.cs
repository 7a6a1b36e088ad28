using System.Buffers;

namespace StableTune.Imaging;

/// <summary>From a file's bytes to a picture: header, limits, completeness, decoder, transparency, orientation, in this order.</summary>
internal static class ImageDecoding
{
    /// <exception cref="InvalidDataException">The file is damaged or too large; the message says how.</exception>
    internal static PixelImage Decode(ReadOnlyMemory<byte> file, ImageLoadOptions options)
    {
        var header = ReadHeader(file, options);
        var clean = ArrayPool<byte>.Shared.Rent(file.Length + 64);
        try
        {
            return DecodeWhole(file, header, options, clean);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(clean);
        }
    }

    /// <summary>Decodes, turns, resizes and cuts. The picture at its full size lives in borrowed memory where that is possible.</summary>
    /// <param name="file">The whole file.</param>
    /// <param name="options">How.</param>
    /// <param name="plan">What is to be done with an upright picture of this size.</param>
    /// <exception cref="InvalidDataException">The file is damaged or too large; the message says how.</exception>
    internal static PixelImage DecodeFitted(ReadOnlyMemory<byte> file, ImageLoadOptions options, Func<PixelSize, ImageFit> plan)
    {
        var header = ReadHeader(file, options);
        var size = options.ApplyExifOrientation ? header.OrientedSize : header.StoredSize;
        var fit = plan(size);
        fit.ThrowIfImpossible();
        var clean = ArrayPool<byte>.Shared.Rent(file.Length + 64);
        try
        {
            var shrinks = Interpolation.For(size, fit.Resized) == Interpolation.Area;
            var averages = shrinks && (fit.Interpolation is null || fit.Interpolation == Interpolation.Area || size == fit.Resized);
            return averages && !options.Changes(header) && options.UsedCodec is IStreamingImageCodec codec
                && StreamedDecoding.Decode(codec, file, header, options, fit, clean) is { } done
                ? done
                : ImageResize.ResizePart(DecodeWhole(file, header, options, clean), fit);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(clean);
        }
    }

    private static ImageHeader ReadHeader(ReadOnlyMemory<byte> file, ImageLoadOptions options)
    {
        using var source = new ByteSource(file);
        var header = ImageHeader.Read(source);
        ImageFile.CheckReadable(header, options);
        return header;
    }

    private static PixelImage DecodeWhole(ReadOnlyMemory<byte> file, ImageHeader header, ImageLoadOptions options, byte[] clean)
    {
        var stored = options.Clips(header) ? ClippedGray(file, header, options) : Stored(file, header, options, clean);
        return options.ApplyExifOrientation && header.Orientation != 1 ? stored.Oriented(header.Orientation) : stored;
    }

    private static PixelImage Stored(ReadOnlyMemory<byte> file, ImageHeader header, ImageLoadOptions options, byte[] clean)
    {
        var (codec, background) = (options.UsedCodec, header.HasAlpha ? options.Background : null);
        var keepAlpha = options.KeepAlpha || background is not null;
        var decoded = DecodeStored(file, header, keepAlpha, clean, (bytes, part) => codec.Decode(bytes, part, keepAlpha), out var frame);
        var stored = OnCanvas(decoded, frame, header.StoredSize);
        if (background is not { } color) return stored;
        return options.KeepAlpha ? stored.OnBackground(color) : stored.Over(color);
    }

    /// <summary>Grey of 16 bits goes to the decoder as grey and alpha of 8, so that both bytes of each value come back.</summary>
    private static PixelImage ClippedGray(ReadOnlyMemory<byte> file, ImageHeader header, ImageLoadOptions options)
    {
        var twoBytes = PngFile.GrayWithLowByteAsAlpha(file.Span);
        var clean = new byte[twoBytes.Length];
        var length = PngFile.CopyPixels(twoBytes, keepAlpha: false, clean);
        var asAlpha = header with { BitsPerChannel = 8, IsGray = false, HasAlpha = true };
        var picture = DecodePng((bytes, part) => options.UsedCodec.Decode(bytes, part, keepAlpha: true), file.Span,
            clean.AsSpan(0, length), asAlpha);
        PixelOrder.ClipGray(picture.Pixels);
        return options.KeepAlpha ? picture : picture.WithoutAlpha();
    }

    /// <summary>Turns a file's bytes into pixels; the header is that of the part of the file that is given.</summary>
    internal delegate T Decoder<T>(ReadOnlySpan<byte> bytes, ImageHeader header);

    /// <summary>Hands what concerns the pixels to a decoder.</summary>
    /// <param name="memory">The whole file.</param>
    /// <param name="header">Its header.</param>
    /// <param name="keepAlpha">Whether transparency matters.</param>
    /// <param name="clean">Memory for a copy without metadata, 64 bytes longer than the file.</param>
    /// <param name="decode">The decoder.</param>
    /// <param name="frame">Where on the picture the decoded pixels belong: less than all of it in some animations only.</param>
    internal static T DecodeStored<T>(ReadOnlyMemory<byte> memory, ImageHeader header, bool keepAlpha, byte[] clean, Decoder<T> decode,
        out WebPFile.Frame frame)
    {
        var file = memory.Span;
        frame = new(0, 0, header.StoredSize);
        switch (header.Format)
        {
            case ImageFormat.Png:
                return DecodePng(decode, file, clean.AsSpan(0, PngFile.CopyPixels(file, keepAlpha, clean)), header);
            case ImageFormat.Jpeg:
                return decode(clean.AsSpan(0, JpegFile.CopyPixels(file, clean)), header);
            case ImageFormat.WebP:
                var length = WebPFile.CopyPixels(file, header.StoredSize, clean, out frame);
                return decode(clean.AsSpan(0, length), header with { StoredSize = frame.Size });
            case ImageFormat.Bmp:
                BmpFile.CheckComplete(memory);
                return decode(file, header);
            default:
                return decode(file, header);
        }
    }

    private static T DecodePng<T>(Decoder<T> decode, ReadOnlySpan<byte> file, ReadOnlySpan<byte> clean, ImageHeader header)
    {
        try
        {
            return decode(clean, header);
        }
        catch (InvalidDataException e) when (PngFile.FindDamage(file) is { } damage)
        {
            throw new InvalidDataException(damage, e);
        }
    }

    private static PixelImage OnCanvas(PixelImage picture, WebPFile.Frame frame, PixelSize canvas)
    {
        if (frame.Size == canvas) return picture;
        var result = new PixelImage(canvas.Width, canvas.Height, picture.Channels);
        for (var y = 0; y < picture.Height; y++)
            picture.Row(y).CopyTo(result.Row(frame.Y + y)[(frame.X * picture.Channels)..]);
        return result;
    }
}

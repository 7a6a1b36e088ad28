using System.Buffers;

namespace StableTune.Imaging;

/// <summary>From a file's bytes to a picture: header, limits, completeness, decoder, transparency, orientation, in this order.</summary>
internal static class ImageDecoding
{
    /// <exception cref="InvalidDataException">The file is damaged or too large; the message says how.</exception>
    internal static PixelImage Decode(ReadOnlyMemory<byte> file, ImageLoadOptions options)
    {
        ImageHeader header;
        using (var source = new ByteSource(file)) header = ImageHeader.Read(source);
        ImageFile.CheckSize(header, options);
        var clean = ArrayPool<byte>.Shared.Rent(file.Length + 64);
        try
        {
            var stored = DecodeStored(file, header, options, clean);
            return options.ApplyExifOrientation && header.Orientation != 1 ? stored.Oriented(header.Orientation) : stored;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(clean);
        }
    }

    private static PixelImage DecodeStored(ReadOnlyMemory<byte> memory, ImageHeader header, ImageLoadOptions options, byte[] clean)
    {
        var file = memory.Span;
        var (codec, keepAlpha) = (options.Codec ?? OpenCvCodec.Instance, options.KeepAlpha);
        switch (header.Format)
        {
            case ImageFormat.Png:
                var length = PngFile.CopyPixels(file, keepAlpha, clean);
                return WithTransparentGray(DecodePng(codec, file, clean.AsSpan(0, length), header, keepAlpha), header, keepAlpha);
            case ImageFormat.Jpeg:
                return codec.Decode(clean.AsSpan(0, JpegFile.CopyPixels(file, clean)), header, keepAlpha);
            case ImageFormat.WebP:
                length = WebPFile.CopyPixels(file, header.StoredSize, clean, out var frame);
                return OnCanvas(codec.Decode(clean.AsSpan(0, length), header with { StoredSize = frame.Size }, keepAlpha), frame, header.StoredSize);
            default:
                BmpFile.CheckComplete(memory);
                return codec.Decode(file, header, keepAlpha);
        }
    }

    private static PixelImage DecodePng(IImageCodec codec, ReadOnlySpan<byte> file, ReadOnlySpan<byte> clean, ImageHeader header, bool keepAlpha)
    {
        try
        {
            return codec.Decode(clean, header, keepAlpha);
        }
        catch (InvalidDataException e) when (PngFile.FindDamage(file) is { } damage)
        {
            throw new InvalidDataException(damage, e);
        }
    }

    // OpenCV gives grey pictures no alpha, although PNG can name one grey value that is transparent.
    private static PixelImage WithTransparentGray(PixelImage image, ImageHeader header, bool keepAlpha)
    {
        if (keepAlpha && header.TransparentGray is { } key)
            for (var i = 0; i < image.Pixels.Length; i += 4) image.Pixels[i + 3] = image.Pixels[i] == key ? (byte)0 : (byte)255;
        return image;
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

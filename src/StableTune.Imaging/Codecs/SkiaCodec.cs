using SkiaSharp;

namespace StableTune.Imaging;

/// <summary>The default codec, over SkiaSharp. Its pixels are those of Pillow and libjpeg-turbo to the bit (docs/images.md).</summary>
public sealed unsafe class SkiaCodec : IStreamingImageCodec
{
    /// <summary>JPEGs are decoded by so many bytes of rows at once, which a processor's cache holds.</summary>
    private const int StripBytes = 1 << 18;

    private const int Rgba = 4;

    private SkiaCodec()
    {
    }

    /// <summary>The only instance; it has no state and serves any number of threads.</summary>
    public static SkiaCodec Instance { get; } = new();

    /// <inheritdoc/>
    public IReadOnlyCollection<ImageFormat> Formats { get; } = [ImageFormat.Png, ImageFormat.Jpeg, ImageFormat.WebP, ImageFormat.Bmp];

    /// <inheritdoc/>
    public PixelImage Decode(ReadOnlySpan<byte> file, ImageHeader header, bool keepAlpha)
    {
        ArgumentNullException.ThrowIfNull(header);
        var result = PixelImage.Uninitialized(header.StoredSize.Width, header.StoredSize.Height, keepAlpha ? Rgba : 3);
        if (keepAlpha) DecodeWhole(file, header, keepAlpha, result.Pixels);
        else DecodeRows(file, header, keepAlpha, denominator: 1,
            (y, rows) => PixelOrder.DropAlpha(rows, result.Pixels.AsSpan(y * result.Stride, rows.Length / Rgba * 3)));
        return result;
    }

    /// <inheritdoc/>
    public int RowChannels(ImageHeader header, bool keepAlpha) => Rgba;

    /// <inheritdoc/>
    public bool CanReduce(ImageHeader header, int denominator)
    {
        ArgumentNullException.ThrowIfNull(header);
        return header.Format == ImageFormat.Jpeg;
    }

    /// <inheritdoc/>
    public void DecodeRows(ReadOnlySpan<byte> file, ImageHeader header, bool keepAlpha, int denominator, PixelRowsReceiver receive)
    {
        ArgumentNullException.ThrowIfNull(header);
        ArgumentNullException.ThrowIfNull(receive);
        var size = header.StoredSize.Reduced(denominator);
        if (header.Format == ImageFormat.Jpeg)
        {
            DecodeStrips(file, header, denominator, size, receive);
            return;
        }

        using var memory = PictureMemory.Take(size.Area * Rgba);
        DecodeWhole(file, header, keepAlpha, memory.Bytes);
        receive(0, memory.Bytes);
    }

    private static void DecodeStrips(ReadOnlySpan<byte> file, ImageHeader header, int denominator, PixelSize size,
        PixelRowsReceiver receive)
    {
        var (stride, most) = (size.Width * Rgba, Math.Clamp(StripBytes / (size.Width * Rgba), 1, size.Height));
        using var memory = PictureMemory.Take((long)most * stride);
        fixed (byte* bytes = file)
        {
            using var decoder = new SkiaDecoder(bytes, file.Length, header, denominator);
            decoder.BeginRows();
            for (var y = 0; y < size.Height; y += most)
            {
                var count = Math.Min(most, size.Height - y);
                var strip = memory.Bytes[..(count * stride)];
                decoder.ReadRows(strip, count);
                receive(y, strip);
            }
        }
    }

    private static void DecodeWhole(ReadOnlySpan<byte> file, ImageHeader header, bool keepAlpha, Span<byte> pixels)
    {
        fixed (byte* bytes = file)
        {
            using var decoder = new SkiaDecoder(bytes, file.Length, header, denominator: 1);
            decoder.ReadAll(pixels);
            if (keepAlpha && !header.HasAlpha && !decoder.IsOpaque) PixelOrder.MakeOpaque(pixels);
        }
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The format is neither PNG nor JPEG, or the quality is out of range.</exception>
    public byte[] Encode(PixelImage image, ImageFormat format, int quality)
    {
        ArgumentNullException.ThrowIfNull(image);
        if (format is not (ImageFormat.Png or ImageFormat.Jpeg))
            throw new ArgumentException($"{format} is not written: choose Png or Jpeg", nameof(format));
        if (quality is < 1 or > 100) throw new ArgumentOutOfRangeException(nameof(quality), quality, "JPEG's quality is 1 to 100");
        // Skia knows no three bytes a pixel. Of opaque pixels it leaves alpha out of the file.
        using var memory = image.Channels == Rgba ? null : PictureMemory.Take(image.Size.Area * Rgba);
        if (memory is not null) PixelOrder.AddAlpha(image.Pixels, memory.Bytes);
        var hasAlpha = image.Channels == Rgba && format == ImageFormat.Png;
        fixed (byte* pixels = memory is null ? image.Pixels : memory.Bytes)
        {
            var alpha = hasAlpha ? SKAlphaType.Unpremul : SKAlphaType.Opaque;
            var info = new SKImageInfo(image.Width, image.Height, SKColorType.Rgba8888, alpha);
            using var pixmap = new SKPixmap(info, (nint)pixels);
            using var encoded = format == ImageFormat.Png
                ? pixmap.Encode(new SKPngEncoderOptions(SKPngEncoderFilterFlags.AllFilters, 6))
                : pixmap.Encode(new SKJpegEncoderOptions(quality, SKJpegEncoderDownsample.Downsample420,
                    SKJpegEncoderAlphaOption.Ignore));
            return encoded?.ToArray()
                ?? throw new InvalidOperationException(
                    $"a picture of {image.Size} with {image.Channels} channels could not be encoded as {format}");
        }
    }
}

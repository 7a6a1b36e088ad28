using SkiaSharp;

namespace StableTune.Imaging;

/// <summary>The default codec, over SkiaSharp. Its pixels are those of Pillow and libjpeg-turbo to the bit (docs/images.md).</summary>
public sealed unsafe class SkiaCodec : IBufferedImageCodec
{
    /// <summary>Rows that are decoded at once where a JPEG becomes a whole RGB picture.</summary>
    private const int StripRows = 64;

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
        var size = header.StoredSize;
        var result = PixelImage.Uninitialized(size.Width, size.Height, keepAlpha ? Rgba : 3);
        if (keepAlpha) DecodeTo(file, header, keepAlpha, 1, result.Pixels);
        else if (header.Format == ImageFormat.Jpeg) DecodeStrips(file, header, result);
        else
        {
            using var memory = PictureMemory.Take(size.Area * Rgba);
            DecodeTo(file, header, keepAlpha, 1, memory.Bytes);
            PixelOrder.DropAlpha(memory.Bytes, result.Pixels);
        }

        return result;
    }

    /// <inheritdoc/>
    public int BufferChannels(ImageHeader header, bool keepAlpha) => Rgba;

    /// <inheritdoc/>
    public bool CanReduce(ImageHeader header, int denominator)
    {
        ArgumentNullException.ThrowIfNull(header);
        return header.Format == ImageFormat.Jpeg;
    }

    /// <inheritdoc/>
    public void DecodeTo(ReadOnlySpan<byte> file, ImageHeader header, bool keepAlpha, int denominator, Span<byte> pixels)
    {
        ArgumentNullException.ThrowIfNull(header);
        // Skia would keep the high byte of such grey.
        var isWideGray = header is { Format: ImageFormat.Png, IsGray: true, BitsPerChannel: 16 };
        if (isWideGray) file = PngFile.GrayWithLowByteAsAlpha(file);
        fixed (byte* bytes = file)
        {
            using var decoder = new SkiaDecoder(bytes, file.Length, header, denominator);
            decoder.ReadAll(pixels);
            if (isWideGray) PixelOrder.ClipGray(pixels);
            else if (keepAlpha && !header.HasAlpha && !decoder.IsOpaque) PixelOrder.MakeOpaque(pixels);
        }
    }

    /// <summary>A large JPEG never lives in memory twice, once with four bytes a pixel and once with three.</summary>
    private static void DecodeStrips(ReadOnlySpan<byte> file, ImageHeader header, PixelImage result)
    {
        using var memory = PictureMemory.Take((long)Math.Min(StripRows, result.Height) * result.Width * Rgba);
        fixed (byte* bytes = file)
        {
            using var decoder = new SkiaDecoder(bytes, file.Length, header, denominator: 1);
            decoder.BeginRows();
            for (var y = 0; y < result.Height; y += StripRows)
            {
                var rows = Math.Min(StripRows, result.Height - y);
                var strip = memory.Bytes[..(rows * result.Width * Rgba)];
                decoder.ReadRows(strip, rows);
                PixelOrder.DropAlpha(strip, result.Pixels.AsSpan(y * result.Stride, rows * result.Stride));
            }
        }
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The format is neither PNG nor JPEG, or the quality is out of range.</exception>
    public byte[] Encode(PixelImage image, ImageFormat format, int quality)
    {
        ArgumentNullException.ThrowIfNull(image);
        if (format is not (ImageFormat.Png or ImageFormat.Jpeg)) throw new ArgumentException($"{format} is not written: choose Png or Jpeg", nameof(format));
        if (quality is < 1 or > 100) throw new ArgumentOutOfRangeException(nameof(quality), quality, "JPEG's quality is 1 to 100");
        // Skia knows no three bytes a pixel. Of opaque pixels it leaves alpha out of the file.
        using var memory = image.Channels == Rgba ? null : PictureMemory.Take(image.Size.Area * Rgba);
        if (memory is not null) PixelOrder.AddAlpha(image.Pixels, memory.Bytes);
        var hasAlpha = image.Channels == Rgba && format == ImageFormat.Png;
        fixed (byte* pixels = memory is null ? image.Pixels : memory.Bytes)
        {
            var info = new SKImageInfo(image.Width, image.Height, SKColorType.Rgba8888, hasAlpha ? SKAlphaType.Unpremul : SKAlphaType.Opaque);
            using var pixmap = new SKPixmap(info, (nint)pixels);
            using var encoded = format == ImageFormat.Png
                ? pixmap.Encode(new SKPngEncoderOptions(SKPngEncoderFilterFlags.AllFilters, 6))
                : pixmap.Encode(new SKJpegEncoderOptions(quality, SKJpegEncoderDownsample.Downsample420, SKJpegEncoderAlphaOption.Ignore));
            return encoded?.ToArray() ?? throw new InvalidOperationException($"a picture of {image.Size} with {image.Channels} channels could not be encoded as {format}");
        }
    }
}

using NetVips;

namespace StableTune.Imaging;

/// <summary>
/// A codec over libvips: the same pixels as <see cref="SkiaCodec"/> from PNG, JPEG and WebP, JPEGs in less time; TIFF, GIF and AVIF
/// too. BMP, which libvips
/// does not read, is left to <see cref="SkiaCodec"/>. No setting of libvips that belongs to the whole process is changed.
/// </summary>
public sealed unsafe class VipsCodec : IStreamingImageCodec
{
    private VipsCodec()
    {
    }

    /// <summary>The only instance; it has no state and serves any number of threads.</summary>
    public static VipsCodec Instance { get; } = new();

    /// <inheritdoc/>
    public IReadOnlyCollection<ImageFormat> Formats { get; } =
        [ImageFormat.Png, ImageFormat.Jpeg, ImageFormat.WebP, ImageFormat.Bmp, ImageFormat.Gif, ImageFormat.Tiff, ImageFormat.Avif];

    /// <inheritdoc/>
    public PixelImage Decode(ReadOnlySpan<byte> file, ImageHeader header, bool keepAlpha)
    {
        ArgumentNullException.ThrowIfNull(header);
        if (header.Format == ImageFormat.Bmp) return SkiaCodec.Instance.Decode(file, header, keepAlpha);
        var result = new PixelImage(header.StoredSize.Width, header.StoredSize.Height, keepAlpha ? 4 : 3);
        DecodeRows(file, header, keepAlpha, denominator: 1, (y, rows) => rows.CopyTo(result.Pixels.AsSpan(y * result.Stride)));
        return result;
    }

    /// <inheritdoc/>
    public int RowChannels(ImageHeader header, bool keepAlpha)
    {
        ArgumentNullException.ThrowIfNull(header);
        return header.Format == ImageFormat.Bmp ? SkiaCodec.Instance.RowChannels(header, keepAlpha) : keepAlpha ? 4 : 3;
    }

    /// <inheritdoc/>
    /// <remarks>libvips leaves out the last column or row where a size does not divide; such pictures are decoded whole.</remarks>
    public bool CanReduce(ImageHeader header, int denominator)
    {
        ArgumentNullException.ThrowIfNull(header);
        return header.Format == ImageFormat.Jpeg && header.StoredSize.Width % denominator == 0
            && header.StoredSize.Height % denominator == 0;
    }

    /// <inheritdoc/>
    public void DecodeRows(ReadOnlySpan<byte> file, ImageHeader header, bool keepAlpha, int denominator, PixelRowsReceiver receive)
    {
        ArgumentNullException.ThrowIfNull(header);
        ArgumentNullException.ThrowIfNull(receive);
        if (header.Format == ImageFormat.Bmp)
        {
            SkiaCodec.Instance.DecodeRows(file, header, keepAlpha, denominator, receive);
            return;
        }

        try
        {
            using var image = Open(file.ToArray(), header.Format, denominator);
            new VipsPixels(image, header, denominator, keepAlpha ? 4 : 3).HandOn(receive);
        }
        catch (VipsException e)
        {
            throw new InvalidDataException($"the {header.Format} data are damaged: {e.Message.ReplaceLineEndings(" ").Trim()}", e);
        }
    }

    /// <summary>The file's kind is known already, so libvips has not to guess it.</summary>
    private static Image Open(byte[] file, ImageFormat format, int denominator)
    {
        const Enums.FailOn failOn = Enums.FailOn.Error;
        const Enums.Access access = Enums.Access.Sequential;
        return format switch
        {
            ImageFormat.Png => Image.PngloadBuffer(file, failOn: failOn, access: access),
            ImageFormat.Jpeg => Image.JpegloadBuffer(file, shrink: denominator, failOn: failOn, access: access),
            ImageFormat.WebP => Image.WebploadBuffer(file, failOn: failOn, access: access),
            ImageFormat.Gif => Image.GifloadBuffer(file, failOn: failOn, access: access),
            ImageFormat.Tiff => Image.TiffloadBuffer(file, failOn: failOn, access: access),
            ImageFormat.Avif => Image.HeifloadBuffer(file, failOn: failOn, access: access),
            _ => throw new InvalidDataException($"{format} is not read by libvips"),
        };
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The format is neither PNG nor JPEG, or the quality is out of range.</exception>
    public byte[] Encode(PixelImage image, ImageFormat format, int quality)
    {
        ArgumentNullException.ThrowIfNull(image);
        if (format is not (ImageFormat.Png or ImageFormat.Jpeg))
            throw new ArgumentException($"{format} is not written: choose Png or Jpeg", nameof(format));
        if (quality is < 1 or > 100) throw new ArgumentOutOfRangeException(nameof(quality), quality, "JPEG's quality is 1 to 100");
        var written = format == ImageFormat.Png ? image : image.WithoutAlpha();
        fixed (byte* pixels = written.Pixels)
        {
            using var raw = Image.NewFromMemory((nint)pixels, (ulong)written.Pixels.Length, written.Width, written.Height,
                written.Channels, Enums.BandFormat.Uchar);
            using var named = raw.Copy(interpretation: Enums.Interpretation.Srgb);
            return format == ImageFormat.Png ? named.PngsaveBuffer(compression: 6)
                : named.JpegsaveBuffer(q: quality, subsampleMode: Enums.ForeignSubsample.On);
        }
    }
}

using SixLabors.ImageSharp.Formats.Bmp;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.Formats.Png;
using SixLabors.ImageSharp.Formats.Webp;
using SixLabors.ImageSharp.Formats;
using SixLabors.ImageSharp.PixelFormats;
using SixLabors.ImageSharp;

namespace StableTune.Imaging;

/// <summary>
/// A codec over ImageSharp, for hosts that prefer managed code. It is not exact: JPEGs with halved colours (4:2:0, most photographs) differ
/// by 4 to 6 levels of 255 on average from what Pillow and the default codec give, and by up to 78 at edges. PNG, BMP and lossless WebP are
/// exact.
/// </summary>
/// <remarks>
/// Faults of ImageSharp 2.1 are kept away: interlaced PNGs, over which it loops for ever where they are up to four pixels wide or their
/// data end early, go to <see cref="SkiaCodec"/>; it gets no more memory than a picture of the header's size needs; and whatever it throws
/// over damaged files becomes <see cref="InvalidDataException"/>.
/// </remarks>
public sealed class ImageSharpCodec : IImageCodec
{
    private const int InterlaceMethod = 28;

    private ImageSharpCodec()
    {
    }

    /// <summary>The only instance; it has no state and serves any number of threads.</summary>
    public static ImageSharpCodec Instance { get; } = new();

    /// <inheritdoc/>
    public IReadOnlyCollection<ImageFormat> Formats { get; } = [ImageFormat.Png, ImageFormat.Jpeg, ImageFormat.WebP, ImageFormat.Bmp];

    /// <inheritdoc/>
    public PixelImage Decode(ReadOnlySpan<byte> file, ImageHeader header, bool keepAlpha)
    {
        ArgumentNullException.ThrowIfNull(header);
        var isInterlaced = header.Format == ImageFormat.Png && file.Length > InterlaceMethod && file[InterlaceMethod] != 0;
        if (isInterlaced) return SkiaCodec.Instance.Decode(file, header, keepAlpha);
        try
        {
            if (header.Format == ImageFormat.Png) PngCompleteness.Check(file, header.StoredSize);
            return Decoded(file.ToArray(), header, keepAlpha);
        }
        catch (Exception e) when (e is not (InvalidDataException or OutOfMemoryException))
        {
            throw new InvalidDataException($"the {header.Format} data are damaged: {e.Message.ReplaceLineEndings(" ")}", e);
        }
    }

    private static PixelImage Decoded(byte[] file, ImageHeader header, bool keepAlpha)
    {
        var configuration = new Configuration { MemoryAllocator = new LimitedAllocator(header.StoredSize), MaxDegreeOfParallelism = 1 };
        var decoder = Decoder(header.Format);
        if (header.BitsPerChannel == 16) return DecodedSixteenBits(configuration, file, decoder, header, keepAlpha);
        if (!keepAlpha || !header.HasAlpha)
        {
            using var colors = Image.Load<Rgb24>(configuration, file, decoder);
            Check(colors, header);
            var picture = colors.ToPixelImage();
            return keepAlpha ? WithAlpha(picture) : picture;
        }

        using var image = Image.Load<Rgba32>(configuration, file, decoder);
        Check(image, header);
        return image.ToPixelImage();
    }

    /// <summary>Values keep their high byte; ImageSharp would round them.</summary>
    private static PixelImage DecodedSixteenBits(Configuration configuration, byte[] file, IImageDecoder decoder, ImageHeader header,
        bool keepAlpha)
    {
        using var image = Image.Load<Rgba64>(configuration, file, decoder);
        Check(image, header);
        var picture = new PixelImage(image.Width, image.Height, 4);
        image.ProcessPixelRows(rows =>
        {
            for (var y = 0; y < rows.Height; y++)
            {
                var from = 0;
                var to = picture.Row(y);
                foreach (var pixel in rows.GetRowSpan(y))
                {
                    (to[from], to[from + 1], to[from + 2]) = ((byte)(pixel.R >> 8), (byte)(pixel.G >> 8), (byte)(pixel.B >> 8));
                    to[from + 3] = header.HasAlpha ? (byte)(pixel.A >> 8) : byte.MaxValue;
                    from += 4;
                }
            }
        });
        return keepAlpha ? picture : picture.WithoutAlpha();
    }

    private static IImageDecoder Decoder(ImageFormat format) => format switch
    {
        ImageFormat.Png => new PngDecoder { IgnoreMetadata = true },
        ImageFormat.Jpeg => new JpegDecoder { IgnoreMetadata = true },
        ImageFormat.WebP => new WebpDecoder { IgnoreMetadata = true },
        ImageFormat.Bmp => new BmpDecoder(),
        _ => throw new InvalidDataException($"{format} is not read by ImageSharp"),
    };

    private static void Check(Image image, ImageHeader header)
    {
        if ((image.Width, image.Height) != (header.StoredSize.Width, header.StoredSize.Height))
            throw new InvalidDataException($"the {header.Format} data are damaged:"
                + $" the header says {header.StoredSize}, the decoder {image.Width}x{image.Height}");
    }

    private static PixelImage WithAlpha(PixelImage picture)
    {
        var result = new PixelImage(picture.Width, picture.Height, 4);
        for (int from = 0, to = 0; from < picture.Pixels.Length; from += 3, to += 4)
        {
            picture.Pixels.AsSpan(from, 3).CopyTo(result.Pixels.AsSpan(to));
            result.Pixels[to + 3] = byte.MaxValue;
        }

        return result;
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The format is neither PNG nor JPEG, or the quality is out of range.</exception>
    public byte[] Encode(PixelImage image, ImageFormat format, int quality)
    {
        ArgumentNullException.ThrowIfNull(image);
        if (format is not (ImageFormat.Png or ImageFormat.Jpeg))
            throw new ArgumentException($"{format} is not written: choose Png or Jpeg", nameof(format));
        if (quality is < 1 or > 100) throw new ArgumentOutOfRangeException(nameof(quality), quality, "JPEG's quality is 1 to 100");
        using var written = (format == ImageFormat.Png ? image : image.WithoutAlpha()).ToImageSharp();
        using var stream = new MemoryStream();
        var colors = image.Channels == 4 ? PngColorType.RgbWithAlpha : PngColorType.Rgb;
        if (format == ImageFormat.Png) written.SaveAsPng(stream, new PngEncoder { ColorType = colors });
        else written.SaveAsJpeg(stream, new JpegEncoder { Quality = quality, ColorType = JpegColorType.YCbCrRatio420 });
        return stream.ToArray();
    }
}

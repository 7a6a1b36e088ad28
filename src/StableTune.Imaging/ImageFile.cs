using System.Buffers;

namespace StableTune.Imaging;

/// <summary>Pictures from files and into files.</summary>
public static class ImageFile
{
    private const string TooLargeMark = "StableTune.Imaging.TooLarge";

    /// <summary>
    /// The extensions of the kinds that are read unless another codec is chosen, in lower case; loading goes by the content alone.
    /// </summary>
    public static IReadOnlyList<string> Extensions { get; } = ImageFormats.Extensions();

    /// <summary>
    /// Loads a file of a kind that the codec reads (PNG, JPEG, WebP or BMP by default) as 8-bit RGB, or RGBA where that is asked for.
    /// </summary>
    /// <remarks>
    /// Grey and palette pictures are converted; of 16 bits the high byte is kept; CMYK is converted; of an animation the first frame is
    /// taken. But for grey of 16 bits (<see cref="ImageLoadOptions.ClipSixteenBitGray"/>) these are Pillow's rules, on which sd-scripts
    /// trains.
    /// </remarks>
    /// <param name="path">The file; its extension does not matter.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <returns>The picture, upright unless told otherwise.</returns>
    /// <exception cref="InvalidFileException">The file is empty, truncated, damaged, no picture, or too large; the message names it and the
    /// fault.</exception>
    /// <exception cref="IOException">The file does not exist or cannot be read.</exception>
    public static PixelImage Load(string path, ImageLoadOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new();
        return WithContent(path, options, file => ImageDecoding.Decode(file, options));
    }

    /// <summary>
    /// Loads a picture, resizes it and cuts a part out: the pixels that <see cref="Load"/>, <see cref="ImageResize.Resize"/> and
    /// <see cref="PixelImage.Crop"/> give one after the other, in less time and memory. With <see cref="ImageLoadOptions.FastDecoding"/>,
    /// nearly those pixels, in still less.
    /// </summary>
    /// <param name="path">The file; its extension does not matter.</param>
    /// <param name="plan">Says for the size of the picture (upright unless told otherwise) what is wanted of it. What it throws is passed
    /// on.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <returns>The part.</returns>
    /// <exception cref="InvalidFileException">The file is empty, truncated, damaged, no picture, or too large; the message names it and the
    /// fault.</exception>
    /// <exception cref="ArgumentException">The part is empty or does not lie within the resized picture.</exception>
    /// <exception cref="IOException">The file does not exist or cannot be read.</exception>
    public static PixelImage LoadResized(string path, Func<PixelSize, ImageFit> plan, ImageLoadOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(plan);
        options ??= new();
        return WithContent(path, options, file => ImageDecoding.DecodeFitted(file, options, plan));
    }

    /// <summary>The size that <see cref="Load"/> gives, from the header alone.</summary>
    /// <param name="path">The file; its extension does not matter.</param>
    /// <param name="options">How it is to be loaded; null for the defaults.</param>
    /// <exception cref="InvalidFileException">The file is empty, no picture, of a kind that the codec does not read, or too large, or its
    /// header is damaged.</exception>
    /// <exception cref="IOException">The file does not exist or cannot be read.</exception>
    public static PixelSize ReadSize(string path, ImageLoadOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var source = new ByteSource(path);
        return ReadSize(source, options ?? new(), path);
    }

    /// <summary>The size that <see cref="Decode"/> gives, from the header alone.</summary>
    /// <param name="file">The file, or its beginning.</param>
    /// <param name="options">How it is to be decoded; null for the defaults.</param>
    /// <param name="name">What messages call it.</param>
    /// <exception cref="InvalidFileException">The file is empty, no picture, of a kind that the codec does not read, or too large, or its
    /// header is damaged.</exception>
    public static PixelSize ReadSize(ReadOnlyMemory<byte> file, ImageLoadOptions? options = null, string name = "picture in memory")
    {
        using var source = new ByteSource(file);
        return ReadSize(source, options ?? new(), name);
    }

    private static PixelSize ReadSize(ByteSource source, ImageLoadOptions options, string name)
    {
        try
        {
            var header = ImageHeader.Read(source);
            CheckReadable(header, options);
            return options.ApplyExifOrientation ? header.OrientedSize : header.StoredSize;
        }
        catch (InvalidDataException e)
        {
            throw Invalid(name, e);
        }
    }

    /// <summary>Decodes a picture file that is in memory; see <see cref="Load"/>.</summary>
    /// <param name="file">The whole file.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <param name="name">What messages call it.</param>
    /// <returns>The picture, upright unless told otherwise.</returns>
    /// <exception cref="InvalidFileException">It is empty, truncated, damaged, no picture, or too large.</exception>
    public static PixelImage Decode(ReadOnlyMemory<byte> file, ImageLoadOptions? options = null, string name = "picture in memory")
    {
        try
        {
            return ImageDecoding.Decode(file, options ?? new());
        }
        catch (InvalidDataException e)
        {
            throw Invalid(name, e);
        }
    }

    /// <summary>Writes a PNG file: complete, or not at all.</summary>
    /// <param name="path">The file; its folder is created when missing.</param>
    /// <param name="image">The picture, RGB or RGBA.</param>
    /// <param name="text">Texts that are kept in the file, such as "parameters": how it was made; see <see cref="PngText"/>.</param>
    /// <param name="codec">What encodes; null means <see cref="SkiaCodec"/>.</param>
    /// <exception cref="ArgumentException">A keyword is not allowed in PNG.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder is not writable.</exception>
    public static void SavePng(string path, PixelImage image, IReadOnlyDictionary<string, string>? text = null, IImageCodec? codec = null)
    {
        var encoded = EncodePng(image, text, codec);
        AtomicFile.Write(path, stream => stream.Write(encoded));
    }

    /// <summary>Writes a JPEG file: complete, or not at all.</summary>
    /// <param name="path">The file; its folder is created when missing.</param>
    /// <param name="image">The picture; alpha is dropped.</param>
    /// <param name="quality">1 to 100. Default 95.</param>
    /// <param name="codec">What encodes; null means <see cref="SkiaCodec"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The quality is out of range.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder is not writable.</exception>
    public static void SaveJpeg(string path, PixelImage image, int quality = 95, IImageCodec? codec = null)
    {
        var encoded = EncodeJpeg(image, quality, codec);
        AtomicFile.Write(path, stream => stream.Write(encoded));
    }

    /// <summary>Encodes as PNG.</summary>
    /// <param name="image">The picture, RGB or RGBA.</param>
    /// <param name="text">Texts that are kept in the file; see <see cref="PngText"/>.</param>
    /// <param name="codec">What encodes; null means <see cref="SkiaCodec"/>.</param>
    /// <returns>The file's bytes.</returns>
    /// <exception cref="ArgumentException">A keyword is not allowed in PNG.</exception>
    public static byte[] EncodePng(PixelImage image, IReadOnlyDictionary<string, string>? text = null, IImageCodec? codec = null)
    {
        var encoded = (codec ?? SkiaCodec.Instance).Encode(image, ImageFormat.Png, 100);
        return text is { Count: > 0 } ? PngText.Insert(encoded, text) : encoded;
    }

    /// <summary>Encodes as JPEG.</summary>
    /// <param name="image">The picture; alpha is dropped.</param>
    /// <param name="quality">1 to 100. Default 95.</param>
    /// <param name="codec">What encodes; null means <see cref="SkiaCodec"/>.</param>
    /// <returns>The file's bytes.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The quality is out of range.</exception>
    public static byte[] EncodeJpeg(PixelImage image, int quality = 95, IImageCodec? codec = null)
        => (codec ?? SkiaCodec.Instance).Encode(image, ImageFormat.Jpeg, quality);

    /// <summary>Reads a file into borrowed memory, once its header is known to be within the limits.</summary>
    private static PixelImage WithContent(string path, ImageLoadOptions options, Func<ReadOnlyMemory<byte>, PixelImage> decode)
    {
        byte[]? buffer = null;
        try
        {
            int length;
            using (var source = new ByteSource(path))
            {
                CheckReadable(ImageHeader.Read(source), options);   // before the file's content takes any memory
                if (source.Length > Array.MaxLength / 2)
                    throw new InvalidDataException($"the file has {source.Length} bytes, which no picture within the limits needs");
                length = (int)source.Length;
                buffer = ArrayPool<byte>.Shared.Rent(length);
                source.Read(0, buffer.AsSpan(0, length));
            }

            return decode(buffer.AsMemory(0, length));
        }
        catch (InvalidDataException e)
        {
            throw Invalid(path, e);
        }
        finally
        {
            if (buffer is not null) ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <exception cref="InvalidDataException">The codec does not read such files, or the picture is too large.</exception>
    internal static void CheckReadable(ImageHeader header, ImageLoadOptions options)
    {
        var (codec, most) = (options.UsedCodec, Math.Min(options.MaxPixels, Array.MaxLength / 4));
        if (!codec.Formats.Contains(header.Format))
            throw new InvalidDataException(
                $"it is a {ImageFormats.Name(header.Format)} file, which {codec.GetType().Name} does not read: it reads "
                    + $"{ImageFormats.Words(codec.Formats, "and")};"
                + " convert the file, or choose another codec (VipsCodec of the package StableTune.Imaging.Vips reads all kinds)");
        if (header.StoredSize.Area > most) throw TooLarge(header.StoredSize, most);
    }

    internal static InvalidFileException Invalid(string path, InvalidDataException fault)
        => new(path, $"{fault.Message}.", fault.Data.Contains(TooLargeMark)
            ? "Shrink it with an image editor, or raise the limit (ImageLoadOptions.MaxPixels where pictures are loaded in code)."
            : "Replace the file, save it anew with an image editor, or take it out of the folder.", fault);

    /// <summary>Such a fault has another remedy than a damaged file, which the exception's type, being sealed, cannot say.</summary>
    private static InvalidDataException TooLarge(PixelSize size, long most) =>
        new(FormattableString.Invariant(
            $"the picture has {size} pixels, more than the limit of {most}")) { Data = { [TooLargeMark] = true } };
}

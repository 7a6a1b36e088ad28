namespace StableTune.Imaging;

/// <summary>What a picture file says about itself before its pixels begin. Reading it touches a few hundred bytes of the file.</summary>
public sealed record ImageHeader
{
    /// <summary>The format, told by the content.</summary>
    public required ImageFormat Format { get; init; }

    /// <summary>The size of the stored picture.</summary>
    public required PixelSize StoredSize { get; init; }

    /// <summary>EXIF orientation, 1 to 8; 1 (upright) where the file says nothing sensible.</summary>
    public int Orientation { get; init; } = 1;

    /// <summary>Bits per colour value as stored: 1, 2, 4, 8 or 16; 8 for palettes.</summary>
    public int BitsPerChannel { get; init; } = 8;

    /// <summary>Whether the picture is stored as grey values without an alpha channel.</summary>
    public bool IsGray { get; init; }

    /// <summary>Whether the file carries transparency of any kind (for lossless WebP: whether it says so).</summary>
    public bool HasAlpha { get; init; }

    /// <summary>
    /// Whether the file holds more pictures than the first one, which is taken: it is an animation, or has several pages.
    /// </summary>
    public bool HasFurtherPictures { get; init; }

    /// <summary>Whether a JPEG stores four inks.</summary>
    internal bool IsCmyk { get; init; }

    /// <summary>The size once the EXIF orientation is applied.</summary>
    public PixelSize OrientedSize => Orientation > 4 ? StoredSize.Transposed : StoredSize;

    /// <summary>Reads a file's header.</summary>
    /// <param name="path">The file; its extension does not matter.</param>
    /// <exception cref="InvalidFileException">It is empty, of no known format, or its header is damaged.</exception>
    /// <exception cref="IOException">The file does not exist or cannot be read.</exception>
    public static ImageHeader Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var source = new ByteSource(path);
        try
        {
            return Read(source);
        }
        catch (InvalidDataException e)
        {
            throw ImageFile.Invalid(path, e);
        }
    }

    /// <summary>Reads the header of a file that is in memory.</summary>
    /// <param name="file">The file, or its beginning.</param>
    /// <param name="name">What messages call it.</param>
    /// <exception cref="InvalidFileException">It is empty, of no known format, or its header is damaged.</exception>
    public static ImageHeader Read(ReadOnlyMemory<byte> file, string name = "picture in memory")
    {
        using var source = new ByteSource(file);
        try
        {
            return Read(source);
        }
        catch (InvalidDataException e)
        {
            throw ImageFile.Invalid(name, e);
        }
    }

    /// <summary>The size of the picture in a file.</summary>
    /// <param name="path">The file; its extension does not matter.</param>
    /// <param name="applyExif">Whether the size is the upright picture's (as <see cref="ImageFile.Load"/> gives it unless told otherwise)
    /// or the stored one's.</param>
    /// <exception cref="InvalidFileException">The file is empty, of no known format, or its header is damaged.</exception>
    /// <exception cref="IOException">The file does not exist or cannot be read.</exception>
    public static PixelSize ReadSize(string path, bool applyExif = true)
    {
        var header = Read(path);
        return applyExif ? header.OrientedSize : header.StoredSize;
    }

    /// <exception cref="InvalidDataException">The bytes are no picture, or its header is damaged.</exception>
    internal static ImageHeader Read(ByteSource source)
    {
        if (source.Length == 0) throw new InvalidDataException("the file is empty");
        Span<byte> start = stackalloc byte[12];
        start = start[..(int)Math.Min(source.Length, 12)];
        source.Read(0, start);
        var header = start.StartsWith(PngFile.Signature) ? PngFile.ReadHeader(source)
            : start.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF]) ? JpegFile.ReadHeader(source)
            : start.StartsWith("RIFF"u8) && start.Length == 12 && start[8..].SequenceEqual("WEBP"u8) ? WebPFile.ReadHeader(source)
            : start.StartsWith("BM"u8) ? BmpFile.ReadHeader(source)
            : GifFile.Begins(start) ? GifFile.ReadHeader(source)
            : TiffFile.Begins(start) ? TiffFile.ReadHeader(source)
            : AvifFile.Begins(start, source) ? AvifFile.ReadHeader(source)
            : throw new InvalidDataException(
                $"it is no {ImageFormats.Words(Enum.GetValues<ImageFormat>(), "or")} file: it begins with the bytes "
                    + $"{Convert.ToHexString(start[..Math.Min(8, start.Length)])}");
        return header.StoredSize is { Width: > 0, Height: > 0 } ? header
            : throw new InvalidDataException($"the header gives the impossible size {header.StoredSize}");
    }
}

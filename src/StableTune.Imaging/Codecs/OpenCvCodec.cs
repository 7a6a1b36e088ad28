namespace StableTune.Imaging;

/// <summary>The codec over OpenCV 4, through a small native library.</summary>
public sealed unsafe class OpenCvCodec : IImageCodec
{
    private OpenCvCodec()
    {
    }

    /// <summary>The only instance; it has no state and serves any number of threads.</summary>
    public static OpenCvCodec Instance { get; } = new();

    /// <summary>OpenCV's version, such as "4.6.0"; loads the library at the first call.</summary>
    /// <exception cref="NativeLibraryException">The native library or OpenCV cannot be loaded.</exception>
    public static string Version => NativeImaging.OpenCvVersion;

    /// <inheritdoc/>
    /// <exception cref="NativeLibraryException">The native library or OpenCV cannot be loaded.</exception>
    public PixelImage Decode(ReadOnlySpan<byte> file, ImageHeader header, bool keepAlpha)
    {
        ArgumentNullException.ThrowIfNull(header);
        _ = NativeImaging.OpenCvVersion;
        // "Unchanged" keeps alpha, and keeps the 16 bits of grey, which are clipped where other pictures keep the high byte.
        var unchanged = (keepAlpha && header.HasAlpha) || (header.IsGray && header.BitsPerChannel == 16);
        var result = PixelImage.Uninitialized(header.StoredSize.Width, header.StoredSize.Height, keepAlpha ? 4 : 3);
        fixed (byte* bytes = file, pixels = result.Pixels)
            if (NativeImaging.Decode(bytes, file.Length, result.Width, result.Height, result.Channels, unchanged ? 1 : 0, pixels) != 0)
                throw new InvalidDataException($"the {header.Format} data are damaged: {NativeImaging.LastError()}");
        if (header.IsCmyk) CorrectCmyk(result);
        return result;
    }

    /// <summary>Decodes three channels of 8 bits, blue first, into memory of OpenCV.</summary>
    /// <param name="file">As for <see cref="Decode"/>; neither grey of 16 bits nor CMYK.</param>
    /// <param name="header">What the file's header says.</param>
    /// <param name="denominator">1; for a JPEG also 2, 4 or 8: it is decoded at this fraction of its size, rounded up.</param>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    internal static BorrowedPicture DecodeBgr(ReadOnlySpan<byte> file, ImageHeader header, int denominator)
    {
        _ = NativeImaging.OpenCvVersion;
        var size = Reduced(header.StoredSize, denominator);
        fixed (byte* bytes = file)
            return NativeImaging.DecodeBgr(bytes, file.Length, size.Width, size.Height, denominator, out var picture, out var pixels) == 0
                ? new(picture, pixels, size)
                : throw new InvalidDataException($"the {header.Format} data are damaged: {NativeImaging.LastError()}");
    }

    /// <summary>The size at which a JPEG is decoded at a fraction of its own.</summary>
    internal static PixelSize Reduced(PixelSize size, int denominator) => new((size.Width + denominator - 1) / denominator, (size.Height + denominator - 1) / denominator);

    // OpenCV computes black - floor(ink * black / 256), Pillow black - round(ink * black / 255): mostly one less, and the same where
    // there is no ink. What remains differs by 1 at most.
    private static void CorrectCmyk(PixelImage image)
    {
        var pixels = image.Pixels;
        for (var at = 0; at < pixels.Length; at += image.Channels)
            for (var i = at; i < at + 3; i++)
                if (pixels[i] is not (0 or 255)) pixels[i]--;
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The format is neither PNG nor JPEG, or the quality is out of range.</exception>
    /// <exception cref="NativeLibraryException">The native library or OpenCV cannot be loaded.</exception>
    public byte[] Encode(PixelImage image, ImageFormat format, int quality)
    {
        ArgumentNullException.ThrowIfNull(image);
        if (format is not (ImageFormat.Png or ImageFormat.Jpeg)) throw new ArgumentException($"{format} is not written: choose Png or Jpeg", nameof(format));
        if (quality is < 1 or > 100) throw new ArgumentOutOfRangeException(nameof(quality), quality, "JPEG's quality is 1 to 100");
        _ = NativeImaging.OpenCvVersion;
        byte* encoded = null;
        try
        {
            fixed (byte* pixels = image.Pixels)
                if (NativeImaging.Encode(pixels, image.Width, image.Height, image.Channels, format == ImageFormat.Png ? ".png" : ".jpg", quality, out encoded, out var length) != 0)
                    throw new InvalidOperationException($"a picture of {image.Size} with {image.Channels} channels could not be encoded as {format}: {NativeImaging.LastError()}");
                else return new ReadOnlySpan<byte>(encoded, checked((int)length)).ToArray();
        }
        finally
        {
            NativeImaging.Free(encoded);
        }
    }

    /// <inheritdoc/>
    /// <exception cref="NativeLibraryException">The native library or OpenCV cannot be loaded.</exception>
    public PixelImage Resize(PixelImage image, int width, int height, CodecResizeMethod method)
    {
        ArgumentNullException.ThrowIfNull(image);
        _ = NativeImaging.OpenCvVersion;
        var result = PixelImage.Uninitialized(width, height, image.Channels);
        fixed (byte* from = image.Pixels, to = result.Pixels)
            if (NativeImaging.Resize(from, image.Width, image.Height, image.Channels, (int)method, to, width, height) != 0)
                throw new InvalidOperationException($"resizing {image.Size} to {result.Size} ({method}) failed: {NativeImaging.LastError()}");
        return result;
    }
}

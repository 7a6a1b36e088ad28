namespace StableTune.Imaging;

/// <summary>
/// What is left to a picture library: decoding and encoding. The one that is used unless said otherwise is <see cref="SkiaCodec"/>; a
/// host may pass its
/// own, and packages bring others. Called from many threads at once.
/// </summary>
public interface IImageCodec
{
    /// <summary>The kinds of files that it reads; a file of another kind is refused by name before the codec is asked.</summary>
    IReadOnlyCollection<ImageFormat> Formats { get; }

    /// <summary>Decodes a file whose structure was checked already.</summary>
    /// <param name="file">The whole file: for PNG and JPEG without metadata, for WebP without animation.</param>
    /// <param name="header">What the file's header says; its size is within the limits.</param>
    /// <param name="keepAlpha">Whether the result is RGBA (opaque when the file has no alpha) or RGB (transparency dropped).</param>
    /// <returns>The stored picture, of the header's size; EXIF orientation is not applied.</returns>
    /// <exception cref="InvalidDataException">The file is damaged; the message says how, without naming the file.</exception>
    PixelImage Decode(ReadOnlySpan<byte> file, ImageHeader header, bool keepAlpha);

    /// <summary>Encodes a picture.</summary>
    /// <param name="image">The picture; JPEG drops its alpha.</param>
    /// <param name="format"><see cref="ImageFormat.Png"/> or <see cref="ImageFormat.Jpeg"/>.</param>
    /// <param name="quality">JPEG's quality, 1 to 100; PNG ignores it.</param>
    /// <returns>The file's bytes.</returns>
    byte[] Encode(PixelImage image, ImageFormat format, int quality);
}

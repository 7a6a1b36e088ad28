namespace StableTune.Imaging;

/// <summary>
/// What is left to a picture library: decoding, encoding and OpenCV's ways of resizing. The one that is used unless said
/// otherwise is <see cref="OpenCvCodec"/>; a host that prefers managed code passes its own. Called from many threads at once.
/// </summary>
public interface IImageCodec
{
    /// <summary>Decodes a file whose structure was checked already.</summary>
    /// <param name="file">The whole file: for PNG and JPEG without metadata, for WebP without animation.</param>
    /// <param name="header">What the file's header says.</param>
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

    /// <summary>Resizes; all channels are treated alike, alpha is not premultiplied.</summary>
    /// <param name="image">The picture.</param>
    /// <param name="width">Columns of the result.</param>
    /// <param name="height">Rows of the result.</param>
    /// <param name="method">OpenCV's method.</param>
    /// <returns>A new picture with the same channels.</returns>
    PixelImage Resize(PixelImage image, int width, int height, CodecResizeMethod method);
}

/// <summary>The ways of resizing that a codec offers, as OpenCV defines them.</summary>
public enum CodecResizeMethod
{
    /// <summary>INTER_LINEAR: not antialiased.</summary>
    Bilinear,

    /// <summary>INTER_CUBIC (a = -0.75): not antialiased.</summary>
    Bicubic,

    /// <summary>INTER_AREA: the mean of the covered area when shrinking.</summary>
    Area,
}

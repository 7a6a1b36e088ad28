namespace StableTune.Imaging;

/// <summary>
/// A codec that hands a picture on by rows, so that <see cref="ImageFile.LoadResized"/> need not hold it at its full size. Such a codec
/// may also decode at a fraction of the size (<see cref="ImageLoadOptions.FastDecoding"/>).
/// </summary>
public interface IStreamingImageCodec : IImageCodec
{
    /// <summary>How many bytes it gives for each pixel of a picture: 3 (RGB), or 4 (RGBA, not premultiplied).</summary>
    /// <param name="header">What the file's header says.</param>
    /// <param name="keepAlpha">Whether the alpha of the result matters; 4 is the only answer then.</param>
    int RowChannels(ImageHeader header, bool keepAlpha);

    /// <summary>
    /// Whether such a picture can be decoded at a fraction of its size: both sides divided and rounded up, as <see
    /// cref="PixelSize.Reduced"/> does.
    /// </summary>
    /// <param name="header">What the file's header says.</param>
    /// <param name="denominator">2, 4 or 8.</param>
    bool CanReduce(ImageHeader header, int denominator);

    /// <summary>
    /// Decodes the pixels that <see cref="IImageCodec.Decode"/> gives, and hands on one or several rows after the other, from top to
    /// bottom.
    /// </summary>
    /// <param name="file">As for <see cref="IImageCodec.Decode"/>.</param>
    /// <param name="header">What the file's header says; its size is within the limits.</param>
    /// <param name="keepAlpha">Whether alpha matters; otherwise the fourth of four channels may be anything.</param>
    /// <param name="denominator">1; another where <see cref="CanReduce"/> says so.</param>
    /// <param name="receive">Receives all rows.</param>
    /// <exception cref="InvalidDataException">The file is damaged; the message says how, without naming the file.</exception>
    void DecodeRows(ReadOnlySpan<byte> file, ImageHeader header, bool keepAlpha, int denominator, PixelRowsReceiver receive);
}

/// <summary>Receives decoded rows.</summary>
/// <param name="y">The number of the first one.</param>
/// <param name="rows">One or several rows without gaps, <see cref="IStreamingImageCodec.RowChannels"/> bytes a pixel; valid during the
/// call.</param>
public delegate void PixelRowsReceiver(int y, ReadOnlySpan<byte> rows);

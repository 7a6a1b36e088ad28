namespace StableTune.Imaging;

/// <summary>
/// A codec that decodes into memory it is given, which <see cref="ImageFile.LoadResized"/> keeps for the next picture: touching fresh memory for each
/// costs a good part of its decoding. Such a codec may also decode at a fraction of the size (<see cref="ImageLoadOptions.FastDecoding"/>).
/// </summary>
public interface IBufferedImageCodec : IImageCodec
{
    /// <summary>How many bytes it writes for each pixel of a picture: 3 (RGB), or 4 (RGBA, not premultiplied).</summary>
    /// <param name="header">What the file's header says.</param>
    /// <param name="keepAlpha">Whether the alpha of the result matters; 4 is the only answer then.</param>
    int BufferChannels(ImageHeader header, bool keepAlpha);

    /// <summary>Whether such a picture can be decoded at a fraction of its size: both sides divided and rounded up, as <see cref="PixelSize.Reduced"/> does.</summary>
    /// <param name="header">What the file's header says.</param>
    /// <param name="denominator">2, 4 or 8.</param>
    bool CanReduce(ImageHeader header, int denominator);

    /// <summary>Decodes as <see cref="IImageCodec.Decode"/> does, into memory of the caller.</summary>
    /// <param name="file">As for <see cref="IImageCodec.Decode"/>.</param>
    /// <param name="header">What the file's header says; its size is within the limits.</param>
    /// <param name="keepAlpha">Whether alpha matters; otherwise the fourth of four channels may be anything.</param>
    /// <param name="denominator">1; another where <see cref="CanReduce"/> says so.</param>
    /// <param name="pixels">Receives the rows without gaps, <see cref="BufferChannels"/> bytes a pixel; exactly as long as they need.</param>
    /// <exception cref="InvalidDataException">The file is damaged; the message says how, without naming the file.</exception>
    void DecodeTo(ReadOnlySpan<byte> file, ImageHeader header, bool keepAlpha, int denominator, Span<byte> pixels);
}

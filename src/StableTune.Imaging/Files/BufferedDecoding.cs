namespace StableTune.Imaging;

/// <summary>Decoding into borrowed memory, from which the wanted part is averaged straight away.</summary>
internal static class BufferedDecoding
{
    /// <summary>Decodes, turns, averages and cuts.</summary>
    /// <returns>The part; null where the file holds only a piece of the picture, as some animations do.</returns>
    internal static PixelImage? Decode(IBufferedImageCodec codec, ReadOnlyMemory<byte> file, ImageHeader header, ImageLoadOptions options, ImageFit fit, byte[] clean)
    {
        var orientation = options.ApplyExifOrientation ? header.Orientation : 1;
        var (channels, denominator) = (codec.BufferChannels(header, options.KeepAlpha), 1);
        if (options.FastDecoding) denominator = Denominator(codec, header, orientation > 4 ? fit.Resized.Transposed : fit.Resized);
        using var picture = ImageDecoding.DecodeStored(file, header, options.KeepAlpha, clean, (bytes, part) => Buffered(codec, bytes, part, options.KeepAlpha, denominator, channels), out var frame);
        if (frame.Size != header.StoredSize) return null;
        var size = header.StoredSize.Reduced(denominator);
        var view = new PixelView(picture.Bytes, size.Width, size.Height, channels);
        // The last column or row of a reduced picture stands for less than the others where its size does not divide.
        (double Width, double Height) extent = ((double)header.StoredSize.Width / denominator, (double)header.StoredSize.Height / denominator);
        var part = fit.Part;
        if (orientation == 1) return AreaResampler.Resize(view, extent, fit.Resized, part, options.KeepAlpha ? 4 : 3);
        using var turned = PictureMemory.Take(picture.Bytes.Length);
        view = PixelImage.Orient(view, orientation, turned.Bytes);
        return AreaResampler.Resize(view, (view.Width, view.Height), fit.Resized, part, options.KeepAlpha ? 4 : 3);
    }

    private static PictureMemory Buffered(IBufferedImageCodec codec, ReadOnlySpan<byte> file, ImageHeader header, bool keepAlpha, int denominator, int channels)
    {
        var memory = PictureMemory.Take(header.StoredSize.Reduced(denominator).Area * channels);
        try
        {
            codec.DecodeTo(file, header, keepAlpha, denominator, memory.Bytes);
            return memory;
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    /// <summary>The greatest of 8, 4, 2 and 1 by which the picture can be divided without becoming smaller than it is wanted.</summary>
    private static int Denominator(IBufferedImageCodec codec, ImageHeader header, PixelSize wanted)
    {
        var (denominator, stored) = (8, header.StoredSize);
        while (denominator > 1 && !(stored.Width / denominator >= wanted.Width && stored.Height / denominator >= wanted.Height && codec.CanReduce(header, denominator))) denominator /= 2;
        return denominator;
    }
}

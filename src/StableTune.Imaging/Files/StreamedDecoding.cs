namespace StableTune.Imaging;

/// <summary>Decoding row by row, averaging the wanted part on the way.</summary>
internal static class StreamedDecoding
{
    /// <summary>Decodes, turns, averages and cuts.</summary>
    /// <returns>The part; null where the file holds only a piece of the picture, as some animations do.</returns>
    internal static PixelImage? Decode(IStreamingImageCodec codec, ReadOnlyMemory<byte> file, ImageHeader header,
        ImageLoadOptions options, ImageFit fit, byte[] clean)
    {
        var orientation = options.ApplyExifOrientation ? header.Orientation : 1;
        var denominator = options.FastDecoding ? Denominator(codec, header, orientation > 4 ? fit.Resized.Transposed : fit.Resized) : 1;
        var size = header.StoredSize.Reduced(denominator);
        var (step, channels) = (codec.RowChannels(header, options.KeepAlpha), options.KeepAlpha ? 4 : 3);
        bool DecodeTo(PixelRowsReceiver receive) => ImageDecoding.DecodeStored(file, header, options.KeepAlpha, clean, (bytes, part) =>
        {
            if (part.StoredSize != header.StoredSize) return false;
            codec.DecodeRows(bytes, part, options.KeepAlpha, denominator, receive);
            return true;
        }, out _);

        if (orientation != 1) return Turned(DecodeTo, size, step, orientation, fit, channels);
        // The last column or row of a reduced picture stands for less than the others where its size does not divide.
        var (width, height) = ((double)header.StoredSize.Width / denominator, (double)header.StoredSize.Height / denominator);
        using var resampler = AreaResampler.Begin(size, step, (width, height), fit.Resized, fit.Part, channels);
        return DecodeTo((y, rows) => resampler.Take(y, rows, size.Width * step)) ? resampler.Result : null;
    }

    /// <summary>A picture that is to be turned is needed as a whole.</summary>
    private static PixelImage? Turned(Func<PixelRowsReceiver, bool> decodeTo, PixelSize size, int step, int orientation, ImageFit fit,
        int channels)
    {
        using PictureMemory picture = PictureMemory.Take(size.Area * step), turned = PictureMemory.Take(size.Area * step);
        if (!decodeTo((y, rows) => rows.CopyTo(picture.Bytes[(y * size.Width * step)..]))) return null;
        var view = PixelImage.Orient(new(picture.Bytes, size.Width, size.Height, step), orientation, turned.Bytes);
        return AreaResampler.Resize(view, fit.Resized, fit.Part, channels);
    }

    /// <summary>The greatest of 8, 4, 2 and 1 by which the picture can be divided without becoming smaller than it is wanted.</summary>
    private static int Denominator(IStreamingImageCodec codec, ImageHeader header, PixelSize wanted)
    {
        var (denominator, stored) = (8, header.StoredSize);
        while (denominator > 1 && !(IsEnough(denominator) && codec.CanReduce(header, denominator))) denominator /= 2;
        return denominator;

        bool IsEnough(int by) => stored.Width / by >= wanted.Width && stored.Height / by >= wanted.Height;
    }
}

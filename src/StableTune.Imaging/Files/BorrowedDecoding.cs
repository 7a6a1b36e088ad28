using System.Buffers;

namespace StableTune.Imaging;

/// <summary>Decoding with OpenCV, from whose memory the wanted part is averaged straight away.</summary>
internal static class BorrowedDecoding
{
    /// <summary>Whether three channels of 8 bits from OpenCV are what is wanted, without any later correction.</summary>
    internal static bool Handles(ImageHeader header, ImageLoadOptions options) =>
        options.Codec is null or OpenCvCodec && !options.KeepAlpha && !header.IsCmyk && !(header.IsGray && header.BitsPerChannel == 16);

    /// <summary>Decodes, turns, averages and cuts.</summary>
    /// <returns>The part; null where the file holds only a piece of the picture, as some animations do.</returns>
    internal static PixelImage? Decode(ReadOnlyMemory<byte> file, ImageHeader header, ImageLoadOptions options, ImageFit fit, byte[] clean)
    {
        var orientation = options.ApplyExifOrientation ? header.Orientation : 1;
        var denominator = options.FastDecoding && header.Format == ImageFormat.Jpeg ? Denominator(header.StoredSize, orientation > 4 ? fit.Resized.Transposed : fit.Resized) : 1;
        byte[]? turned = null;
        using var picture = ImageDecoding.DecodeStored(file, header, keepAlpha: false, clean, (bytes, part) => OpenCvCodec.DecodeBgr(bytes, part, denominator), out var frame);
        if (frame.Size != header.StoredSize) return null;
        try
        {
            var view = picture.View;
            // The last column or row of a reduced picture stands for less than the others where its size does not divide.
            (double Width, double Height) extent = ((double)header.StoredSize.Width / denominator, (double)header.StoredSize.Height / denominator);
            if (orientation != 1)
            {
                view = PixelImage.Orient(view, orientation, turned = ArrayPool<byte>.Shared.Rent(view.Pixels.Length));
                extent = (view.Width, view.Height);
            }

            return AreaResampler.Resize(view, extent, fit.Resized, fit.Part);
        }
        finally
        {
            if (turned is not null) ArrayPool<byte>.Shared.Return(turned);
        }
    }

    /// <summary>The greatest of 8, 4, 2 and 1 by which the picture can be divided without becoming smaller than it is wanted.</summary>
    private static int Denominator(PixelSize stored, PixelSize wanted)
    {
        for (var denominator = 8; denominator > 1; denominator /= 2)
            if (stored.Width / denominator >= wanted.Width && stored.Height / denominator >= wanted.Height) return denominator;
        return 1;
    }
}

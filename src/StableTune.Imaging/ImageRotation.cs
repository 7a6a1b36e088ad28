namespace StableTune.Imaging;

/// <summary>Turning of pictures by any angle.</summary>
public static class ImageRotation
{
    /// <summary>Turns about the middle; the size stays, and what comes in from outside is the picture mirrored at its edges.</summary>
    /// <param name="image">The picture.</param>
    /// <param name="degrees">How far, counter-clockwise.</param>
    /// <returns>A new picture, bilinear between pixels.</returns>
    public static PixelImage Rotate(PixelImage image, double degrees)
    {
        ArgumentNullException.ThrowIfNull(image);
        var result = new PixelImage(image.Width, image.Height, image.Channels, new byte[image.Pixels.Length]);
        var (sin, cos) = Math.SinCos(degrees * Math.PI / 180);
        var (middleX, middleY) = ((image.Width - 1) / 2.0, (image.Height - 1) / 2.0);
        for (var y = 0; y < image.Height; y++)
        {
            var row = result.Row(y);
            for (var x = 0; x < image.Width; x++)
            {
                var (dx, dy) = (x - middleX, y - middleY);
                Sample(image, middleX + (cos * dx) - (sin * dy), middleY + (sin * dx) + (cos * dy), row.Slice(x * image.Channels, image.Channels));
            }
        }

        return result;
    }

    private static void Sample(PixelImage image, double x, double y, Span<byte> pixel)
    {
        var (left, top) = (Math.Floor(x), Math.Floor(y));
        var (shareX, shareY) = (x - left, y - top);
        var (x0, x1, y0, y1) = (Mirror((int)left, image.Width), Mirror((int)left + 1, image.Width), Mirror((int)top, image.Height), Mirror((int)top + 1, image.Height));
        ReadOnlySpan<byte> upper = image.Row(y0), lower = image.Row(y1);
        for (var channel = 0; channel < pixel.Length; channel++)
        {
            var (a, b) = (upper[(x0 * image.Channels) + channel], upper[(x1 * image.Channels) + channel]);
            var (c, d) = (lower[(x0 * image.Channels) + channel], lower[(x1 * image.Channels) + channel]);
            var (above, below) = (a + ((b - a) * shareX), c + ((d - c) * shareX));
            pixel[channel] = (byte)(above + ((below - above) * shareY) + 0.5);
        }
    }

    /// <summary>The place inside that a place outside mirrors; the edge itself is not repeated.</summary>
    private static int Mirror(int place, int length)
    {
        if (length == 1) return 0;
        var period = 2 * (length - 1);
        place = ((place % period) + period) % period;
        return place < length ? place : period - place;
    }
}

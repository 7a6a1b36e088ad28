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
        return Rotate(image, degrees, (image.Width - 1) / 2.0, (image.Height - 1) / 2.0);
    }

    /// <summary>Rotates an image about a place that stays where it is.</summary>
    /// <param name="image">The picture.</param>
    /// <param name="degrees">How far, counter-clockwise.</param>
    /// <param name="x">Column of the place; 0 is the middle of the first one.</param>
    /// <param name="y">Row of the place; 0 is the middle of the first one.</param>
    /// <returns>A new picture, bilinear between pixels.</returns>
    public static PixelImage Rotate(PixelImage image, double degrees, double x, double y)
    {
        ArgumentNullException.ThrowIfNull(image);
        var result = new PixelImage(image.Width, image.Height, image.Channels, new byte[image.Pixels.Length]);
        var (sin, cos) = Math.SinCos(degrees * Math.PI / 180);
        for (var down = 0; down < image.Height; down++)
        {
            var row = result.Row(down);
            for (var across = 0; across < image.Width; across++)
            {
                var (dx, dy) = (across - x, down - y);
                Sample(image, x + (cos * dx) - (sin * dy), y + (sin * dx) + (cos * dy), row.Slice(across * image.Channels, image.Channels));
            }
        }

        return result;
    }

    private static void Sample(PixelImage image, double x, double y, Span<byte> pixel)
    {
        var (left, top) = (Math.Floor(x), Math.Floor(y));
        var (shareX, shareY) = (x - left, y - top);
        var (x0, x1, y0, y1) = (Mirror((int)left, image.Width), Mirror((int)left + 1, image.Width), Mirror((int)top, image.Height),
            Mirror((int)top + 1, image.Height));
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

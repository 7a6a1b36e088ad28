namespace StableTune.Imaging;

/// <summary>Changes of colour; alpha stays as it is.</summary>
public static class ImageColors
{
    /// <summary>Turns the hue of every pixel, keeping value and saturation.</summary>
    /// <param name="image">The picture.</param>
    /// <param name="degrees">How far, on a circle of 360.</param>
    /// <returns>A new picture.</returns>
    public static PixelImage ShiftHue(PixelImage image, double degrees)
    {
        ArgumentNullException.ThrowIfNull(image);
        var result = Copy(image);
        var turn = degrees / 60;
        for (var i = 0; i < result.Pixels.Length; i += result.Channels) ShiftHue(result.Pixels.AsSpan(i, 3), turn);
        return result;
    }

    /// <summary>Raises each value, as a share of 255, to a power.</summary>
    /// <param name="image">The picture.</param>
    /// <param name="exponent">Above 1 darkens, below 1 brightens; positive.</param>
    /// <returns>A new picture.</returns>
    public static PixelImage Gamma(PixelImage image, double exponent) => Map(image, value => 255 * Math.Pow(value / 255, exponent));

    /// <summary>Puts every value through a function.</summary>
    /// <param name="image">The picture.</param>
    /// <param name="change">From 0..255 to any number; the result is rounded and limited to 0..255.</param>
    /// <returns>A new picture.</returns>
    public static PixelImage Map(PixelImage image, Func<double, double> change)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentNullException.ThrowIfNull(change);
        var table = new byte[256];
        for (var value = 0; value < 256; value++) table[value] = Round(change(value));
        var result = Copy(image);
        for (var i = 0; i < result.Pixels.Length; i += result.Channels)
            for (var channel = 0; channel < 3; channel++) result.Pixels[i + channel] = table[result.Pixels[i + channel]];
        return result;
    }

    /// <summary>Changes the distance of each pixel from its own grey.</summary>
    /// <param name="image">The picture.</param>
    /// <param name="factor">0 gives grey, 1 the picture itself, more gives stronger colours.</param>
    /// <returns>A new picture.</returns>
    public static PixelImage Saturate(PixelImage image, double factor)
    {
        ArgumentNullException.ThrowIfNull(image);
        var result = Copy(image);
        for (var i = 0; i < result.Pixels.Length; i += result.Channels)
        {
            var pixel = result.Pixels.AsSpan(i, 3);
            // The luma of ITU-R BT.601, which image libraries take for grey.
            var gray = (0.299 * pixel[0]) + (0.587 * pixel[1]) + (0.114 * pixel[2]);
            for (var channel = 0; channel < 3; channel++) pixel[channel] = Round(gray + ((pixel[channel] - gray) * factor));
        }

        return result;
    }

    private static void ShiftHue(Span<byte> pixel, double turn)
    {
        double most = Math.Max(pixel[0], Math.Max(pixel[1], pixel[2])), least = Math.Min(pixel[0], Math.Min(pixel[1], pixel[2]));
        var chroma = most - least;
        if (chroma == 0) return;                                            // grey has no hue
        var hue = most == pixel[0] ? (pixel[1] - pixel[2]) / chroma
            : most == pixel[1] ? ((pixel[2] - pixel[0]) / chroma) + 2
            : ((pixel[0] - pixel[1]) / chroma) + 4;
        hue = (hue + turn) % 6;
        if (hue < 0) hue += 6;
        for (var channel = 0; channel < 3; channel++)
        {
            // The hexagon of HSV: each channel rises and falls over a third of the circle.
            var distance = Math.Abs(((hue - (2 * channel) + 9) % 6) - 3);
            pixel[channel] = Round(least + (chroma * Math.Clamp(2 - distance, 0, 1)));
        }
    }

    private static PixelImage Copy(PixelImage image) => new(image.Width, image.Height, image.Channels, [.. image.Pixels]);

    private static byte Round(double value) => (byte)Math.Clamp(value + 0.5, 0, 255);
}

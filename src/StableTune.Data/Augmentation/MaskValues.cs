using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>Factors of the loss at the places of latents, each the mean over the pixels that it stands for.</summary>
internal static class MaskValues
{
    /// <summary>Pixels to a place of the latents, in each direction.</summary>
    internal const int Scale = 8;

    /// <summary>From one channel of a picture, 0..255.</summary>
    /// <param name="image">The picture; its sides are multiples of 8.</param>
    /// <param name="channel">The channel; beyond those of the picture all is 1.</param>
    /// <param name="values">Receives [H/8, W/8].</param>
    internal static void Fill(PixelImage image, int channel, Span<float> values)
    {
        if (channel >= image.Channels)
        {
            values.Fill(1);
            return;
        }

        var width = image.Width / Scale;
        values.Clear();
        for (var y = 0; y < image.Height; y++)
        {
            ReadOnlySpan<byte> row = image.Row(y);
            var line = values.Slice(y / Scale * width, width);
            for (var x = 0; x < image.Width; x++) line[x / Scale] += row[(x * image.Channels) + channel] / 255f;
        }

        foreach (ref var value in values) value /= Scale * Scale;
    }

    /// <summary>Leaves only a disc: other places become 0.</summary>
    /// <param name="values">[height, width], changed.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="disc">The disc.</param>
    internal static void Limit(Span<float> values, int width, int height, Disc disc)
    {
        var (middleX, middleY, radius) = (disc.X * width, disc.Y * height, disc.Radius * Math.Min(width, height) / 2);
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++)
                if (Math.Pow(x + 0.5 - middleX, 2) + Math.Pow(y + 0.5 - middleY, 2) > radius * radius) values[(y * width) + x] = 0;
    }

    /// <summary>Mirrors left and right.</summary>
    internal static void Flip(Span<float> values, int width)
    {
        for (var i = 0; i < values.Length; i += width) values.Slice(i, width).Reverse();
    }
}

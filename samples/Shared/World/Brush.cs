using StableTune.Imaging;

namespace StableTune.Samples.World;

/// <summary>Paints shapes with smooth edges.</summary>
internal static class Brush
{
    private const int Grid = 4;

    /// <summary>Fills a shape; each pixel takes the share of a 4 by 4 grid of places in it that lie inside.</summary>
    internal static void Fill(Canvas canvas, Shape shape, double centerX, double centerY, double radius, PixelColor color)
    {
        var (width, height) = (canvas.Image.Width, canvas.Image.Height);
        for (var y = Math.Max(0, (int)(centerY - radius)); y < Math.Min(height, centerY + radius + 1); y++)
            for (var x = Math.Max(0, (int)(centerX - radius)); x < Math.Min(width, centerX + radius + 1); x++)
            {
                var inside = 0;
                for (var i = 0; i < Grid * Grid; i++)
                {
                    var (px, py) = (x + (((i % Grid) + 0.5) / Grid), y + (((i / Grid) + 0.5) / Grid));
                    if (shape.Contains((px - centerX) / radius, (py - centerY) / radius)) inside++;
                }

                canvas.Blend(x, y, color, inside / (double)(Grid * Grid));
            }
    }
}

using StableTune.Imaging;

namespace StableTune.Samples.World;

/// <summary>Pictures without a caption: ellipses and polygons of any form. The VAE learns edges of them that the model's own world does not
/// have.</summary>
internal static class Confetti
{
    internal static PixelImage Paint(Random random)
    {
        var canvas = new Canvas(Scene.Side, Scene.Side, AnyColor(random));
        for (var left = 1 + random.Next(4); left > 0; left--)
            Brush.Fill(canvas, AnyShape(random), random.NextDouble() * Scene.Side, random.NextDouble() * Scene.Side,
                3 + (random.NextDouble() * 8), AnyColor(random));
        return canvas.Image;
    }

    private static PixelColor AnyColor(Random random) => PaintColor.All[random.Next(PaintColor.All.Count)].Pixel;

    private static Shape AnyShape(Random random)
    {
        switch (random.Next(3))
        {
            case 0: return Shape.Known[random.Next(Shape.Known.Count)];
            case 1:
                var (flat, turn) = (0.3 + (0.7 * random.NextDouble()), random.NextDouble() * Math.PI);
                var (sine, cosine) = Math.SinCos(turn);
                return new("ellipse", (x, y) => Math.Pow((x * cosine) + (y * sine), 2)
                    + Math.Pow(((y * cosine) - (x * sine)) / flat, 2) <= 1);
            default:
                // Seen from the middle, the edge is a straight line between points at drawn distances.
                var distances = Enumerable.Range(0, 3 + random.Next(6)).Select(_ => 0.35 + (0.65 * random.NextDouble())).ToArray();
                var start = random.NextDouble() * 2 * Math.PI;
                return new("polygon", (x, y) => InPolygon(distances, start, x, y));
        }
    }

    private static bool InPolygon(double[] distances, double start, double x, double y)
    {
        var sector = 2 * Math.PI / distances.Length;
        var angle = (Math.Atan2(y, x) - start) % (2 * Math.PI);
        if (angle < 0) angle += 2 * Math.PI;
        var first = Math.Min((int)(angle / sector), distances.Length - 1);
        var (a, b) = (distances[first], distances[(first + 1) % distances.Length]);
        var radius = Math.Sqrt((x * x) + (y * y));
        var (sine, cosine) = Math.SinCos(angle - (first * sector));
        var (along, across) = (radius * cosine, radius * sine);
        var (bx, by) = (b * Math.Cos(sector), b * Math.Sin(sector));
        return ((bx - a) * across) - (by * (along - a)) >= 0;   // on the inner side of the line from (a, 0) to (bx, by)
    }
}

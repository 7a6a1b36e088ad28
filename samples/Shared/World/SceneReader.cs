using StableTune.Imaging;

namespace StableTune.Samples.World;

/// <summary>A shape that was found in a picture.</summary>
/// <param name="Shape">What it is; null where it looks like no shape.</param>
/// <param name="Color">Its colour.</param>
/// <param name="X">Its middle, from 0 at the left to 1.</param>
/// <param name="Y">Its middle, from 0 at the top to 1.</param>
internal sealed record FoundShape(Shape? Shape, PaintColor Color, double X, double Y);

/// <summary>What a picture shows.</summary>
/// <param name="Background">The colour around; null where the edge of the picture has no single one.</param>
/// <param name="Found">The shapes on it.</param>
internal sealed record SceneReading(PaintColor? Background, IReadOnlyList<FoundShape> Found)
{
    /// <summary>Whether the picture shows what the scene says: background, number, shapes, colours, and the place where one is
    /// said.</summary>
    internal bool Shows(Scene scene) => HasBackground(scene) && HasCount(scene) && HasShape(scene) && HasColor(scene) && HasPlace(scene);

    internal bool HasBackground(Scene scene) => Background == scene.Background;

    internal bool HasCount(Scene scene) => Found.Count == scene.Count;

    internal bool HasShape(Scene scene) => Found.Count > 0 && Found.All(found => found.Shape == scene.Shape);

    internal bool HasColor(Scene scene) => Found.Count > 0 && Found.All(found => found.Color == scene.Color);

    /// <summary>Whether a place that was said is the nearest of all places.</summary>
    internal bool HasPlace(Scene scene) => scene.Place is null || (Found.Count > 0 && Found.All(found =>
        Place.All.MinBy(place => Math.Pow(place.X - found.X, 2) + Math.Pow(place.Y - found.Y, 2)) == scene.Place));
}

/// <summary>Reads pictures by plain rules: the colour of the edge is the background; what differs from it and hangs together is a shape,
/// named by the template that covers it best. Nothing in it is learnt.</summary>
internal static class SceneReader
{
    /// <summary>Pixels of the smallest patch that counts; smaller ones are blemishes of edges.</summary>
    private const int LeastPixels = 6;

    /// <summary>The part of the edge that must have the background's colour.</summary>
    private const double LeastEdge = 0.7;

    /// <summary>Pixels that belong to both, over pixels that belong to either, of a patch and its template.</summary>
    private const double LeastOverlap = 0.62;

    /// <summary>By how many pixels a template may be larger than the patch, on each side.</summary>
    private static readonly double[] s_grown = [0, 0.5, 1];

    /// <summary>The distance in RGB at which a pixel still has the colour.</summary>
    private const double NearColor = 75;

    /// <summary>The distance in RGB from which a pixel is not background.</summary>
    private const double OffBackground = 30;

    /// <summary>Reads a picture.</summary>
    internal static SceneReading Read(PixelImage image)
    {
        var labels = Labels(image);
        var edge = Enumerable.Range(0, labels.Length)
            .Where(i => IsEdge(i % image.Width, image.Width) || IsEdge(i / image.Width, image.Height)).ToList();
        var common = edge.Select(i => labels[i]).GroupBy(label => label).MaxBy(group => group.Count())!;
        if (common.Key < 0 || common.Count() < LeastEdge * edge.Count) return new SceneReading(null, []);
        return new SceneReading(PaintColor.All[common.Key], [.. Patches(labels, common.Key, image)]);

        static bool IsEdge(int at, int side) => at < 2 || at >= side - 2;
    }

    /// <summary>The nearest colour of each pixel; -1 where none is near.</summary>
    private static int[] Labels(PixelImage image)
    {
        var labels = new int[image.Width * image.Height];
        for (var i = 0; i < labels.Length; i++)
        {
            var nearest = Enumerable.Range(0, PaintColor.All.Count).MinBy(color => Distance(image, i, PaintColor.All[color].Pixel));
            labels[i] = Distance(image, i, PaintColor.All[nearest].Pixel) <= NearColor ? nearest : -1;
        }

        return labels;
    }

    private static IEnumerable<FoundShape> Patches(int[] labels, int background, PixelImage image)
    {
        var behind = PaintColor.All[background].Pixel;
        // Between background and shape, pixels belong to that whose colour is nearer; which colour that is, the middle of the patch says.
        var isShape = labels.Select((label, i) => label != background && Distance(image, i, behind) > OffBackground).ToArray();
        var seen = new bool[labels.Length];
        for (var start = 0; start < labels.Length; start++)
        {
            if (seen[start] || !isShape[start]) continue;
            var patch = Fill(start, isShape, seen, image.Width);
            if (patch.Count < LeastPixels) continue;
            var color = patch.Where(i => labels[i] >= 0).GroupBy(i => labels[i]).MaxBy(group => group.Count())?.Key;
            if (color is null) continue;
            yield return Named(patch, PaintColor.All[color.Value], behind, image);
        }
    }

    /// <summary>All pixels that hang together with the first.</summary>
    private static List<int> Fill(int start, bool[] isShape, bool[] seen, int width)
    {
        List<int> patch = [start];
        seen[start] = true;
        for (var next = 0; next < patch.Count; next++)
        {
            var at = patch[next];
            foreach (var other in (int[])[at % width > 0 ? at - 1 : -1, at % width < width - 1 ? at + 1 : -1, at - width, at + width])
            {
                if (other < 0 || other >= isShape.Length || seen[other] || !isShape[other]) continue;
                seen[other] = true;
                patch.Add(other);
            }
        }

        return patch;
    }

    private static FoundShape Named(List<int> patch, PaintColor color, PixelColor behind, PixelImage image)
    {
        var inside = patch.Where(i => Distance(image, i, color.Pixel) < Distance(image, i, behind)).ToHashSet();
        if (inside.Count == 0) inside = [.. patch];
        var (left, right) = (inside.Min(i => i % image.Width), inside.Max(i => i % image.Width) + 1);
        var (top, bottom) = (inside.Min(i => i / image.Width), inside.Max(i => i / image.Width) + 1);
        // Smooth edges take the tips of stars and hearts: a template may be up to a pixel larger than what is left of them.
        var best = (from shape in Shape.All from grown in s_grown select (Shape: shape, Overlap: Overlap(shape, grown)))
            .MaxBy(entry => entry.Overlap);
        return new FoundShape(best.Overlap >= LeastOverlap ? best.Shape : null, color,
            (left + right) / 2.0 / image.Width, (top + bottom) / 2.0 / image.Height);

        double Overlap(Shape shape, double grown)
        {
            var (both, either) = (0, 0);
            var bounds = Bounds.Of(shape);
            var (width, height) = (right - left + (2 * grown), bottom - top + (2 * grown));
            // A template is stretched to the patch, but not beyond what a shape is.
            if (width / height / (bounds.Width / bounds.Height) is < 0.72 or > 1.38) return 0;
            for (var y = top - 1; y <= bottom; y++)
                for (var x = left - 1; x <= right; x++)
                {
                    var isIn = x >= 0 && x < image.Width && inside.Contains((y * image.Width) + x);
                    var isDrawn = shape.Contains(
                        bounds.Left + ((x + 0.5 - left + grown) / width * bounds.Width),
                        bounds.Top + ((y + 0.5 - top + grown) / height * bounds.Height));
                    if (isIn && isDrawn) both++;
                    if (isIn || isDrawn) either++;
                }

            return both / (double)either;
        }
    }

    private static double Distance(PixelImage image, int pixel, PixelColor color)
    {
        var at = 3 * pixel;
        var (r, g, b) = (image.Pixels[at] - color.R, image.Pixels[at + 1] - color.G, image.Pixels[at + 2] - color.B);
        return Math.Sqrt((r * r) + (g * g) + (b * b));
    }

    /// <summary>The smallest rectangle around a shape.</summary>
    private sealed record Bounds(double Left, double Top, double Width, double Height)
    {
        private static readonly Dictionary<Shape, Bounds> s_known = Shape.All.ToDictionary(shape => shape, Measure);

        internal static Bounds Of(Shape shape) => s_known[shape];

        private static Bounds Measure(Shape shape)
        {
            const int grid = 400;
            var (left, top, right, bottom) = (1.0, 1.0, -1.0, -1.0);
            for (var i = 0; i <= grid; i++)
                for (var j = 0; j <= grid; j++)
                {
                    var (x, y) = (-1 + (2.0 * i / grid), -1 + (2.0 * j / grid));
                    if (!shape.Contains(x, y)) continue;
                    (left, right, top, bottom) = (Math.Min(left, x), Math.Max(right, x), Math.Min(top, y), Math.Max(bottom, y));
                }

            return new Bounds(left, top, right - left, bottom - top);
        }
    }
}

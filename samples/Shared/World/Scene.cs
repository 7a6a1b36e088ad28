using StableTune.Imaging;

namespace StableTune.Samples.World;

/// <summary>Where a caption may say that a shape is: the middle of its part of the picture, from 0 to 1.</summary>
/// <param name="Name">As captions say it.</param>
/// <param name="X">From the left.</param>
/// <param name="Y">From the top.</param>
internal sealed record Place(string Name, double X, double Y)
{
    internal static IReadOnlyList<Place> All { get; } =
    [
        new("top left", 0.28, 0.28), new("top right", 0.72, 0.28), new("bottom left", 0.28, 0.72), new("bottom right", 0.72, 0.72),
        new("middle", 0.5, 0.5),
    ];
}

/// <summary>What a caption says: one or two shapes of one kind and colour on a background, and of one shape perhaps where it
/// is.</summary>
/// <param name="Shape">What is drawn.</param>
/// <param name="Color">Its colour.</param>
/// <param name="Background">Another colour.</param>
/// <param name="Count">1 or 2.</param>
/// <param name="Place">Of a single shape; null leaves it open.</param>
internal sealed record Scene(Shape Shape, PaintColor Color, PaintColor Background, int Count = 1, Place? Place = null)
{
    /// <summary>Width and height of the pictures.</summary>
    internal const int Side = 32;

    private static readonly string[] s_numbers = ["a", "two"];

    /// <summary>The radius of the shapes by their count, the smallest and the largest.</summary>
    private static readonly (double Least, double Most)[] s_radii = [(6.5, 8), (5.5, 6.25)];

    /// <summary>Whether the combination of shape and colours is kept from training: a tenth of all, so that prompts can ask for what no
    /// picture showed.</summary>
    internal bool IsHeldOut => Index(Shape.All, Shape) is var shape
        && ((shape * 31) + (Index(PaintColor.All, Color) * 7) + (Index(PaintColor.All, Background) * 3)) % 10 == 0;

    internal string Caption => string.Concat(
        s_numbers[Count - 1], " ", Color.Name, " ", Shape.Name, Count == 1 ? "" : Shape.Name.EndsWith('s') ? "es" : "s",
        Place is null ? "" : $" in the {Place.Name}", $" on a {Background.Name} background");

    /// <summary>A scene of the model's world.</summary>
    internal static Scene Draw(Random random) => Draw(random, Pick(random, Shape.Known));

    /// <summary>A scene with this shape.</summary>
    internal static Scene Draw(Random random, Shape shape)
    {
        var color = Pick(random, PaintColor.All);
        var background = Pick(random, [.. PaintColor.All.Where(other => other != color)]);
        // A third has two shapes; of the others, half say where the shape is.
        var count = random.Next(3) == 0 ? 2 : 1;
        return new Scene(shape, color, background, count, count == 1 && random.Next(2) == 0 ? Pick(random, Place.All) : null);
    }

    /// <summary>A picture of the scene: sizes and places that the caption leaves open are drawn.</summary>
    internal PixelImage Paint(Random random)
    {
        var canvas = new Canvas(Side, Side, Background.Pixel);
        var (least, most) = s_radii[Count - 1];
        var radius = least + (random.NextDouble() * (most - least));
        foreach (var (x, y) in Centers(random, radius)) Brush.Fill(canvas, Shape, x, y, radius, Color.Pixel);
        return canvas.Image;
    }

    private List<(double X, double Y)> Centers(Random random, double radius)
    {
        if (Place is { } place) return [((place.X * Side) + Jitter(), (place.Y * Side) + Jitter())];
        double Jitter() => (random.NextDouble() - 0.5) * 2;
        var (first, range) = (radius + 2, Side - (2 * (radius + 2)));
        while (true)
        {
            List<(double X, double Y)> centers = [];
            for (var tries = 0; centers.Count < Count && tries < 40; tries++)
            {
                var (x, y) = (first + (random.NextDouble() * range), first + (random.NextDouble() * range));
                // Squares touch at their corners first: apart along one axis is apart.
                if (centers.All(other => Math.Max(Math.Abs(other.X - x), Math.Abs(other.Y - y)) >= (2 * radius) + 2)) centers.Add((x, y));
            }

            if (centers.Count == Count) return centers;
        }
    }

    private static T Pick<T>(Random random, IReadOnlyList<T> list) => list[random.Next(list.Count)];

    private static int Index<T>(IReadOnlyList<T> list, T item) where T : class
    {
        for (var i = 0; i < list.Count; i++)
            if (ReferenceEquals(list[i], item)) return i;
        return list.Count;
    }
}

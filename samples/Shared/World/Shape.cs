namespace StableTune.Samples.World;

/// <summary>A flat shape: what is inside of it, in coordinates from -1 to 1, y downwards.</summary>
/// <param name="Name">As captions say it.</param>
/// <param name="Contains">Whether a place belongs to the shape.</param>
internal sealed record Shape(string Name, Func<double, double, bool> Contains)
{
    internal static Shape Circle { get; } = new("circle", (x, y) => (x * x) + (y * y) <= 1);

    internal static Shape Square { get; } = new("square", (x, y) => Math.Abs(x) <= 0.88 && Math.Abs(y) <= 0.88);

    internal static Shape Triangle { get; } = new("triangle", (x, y) => y is >= -0.95 and <= 0.8 && Math.Abs(x) <= (y + 0.95) / 1.75);

    /// <summary>What the model is never shown: samples teach it.</summary>
    internal static Shape Cross { get; } =
        new("cross", (x, y) => Math.Min(Math.Abs(x), Math.Abs(y)) <= 0.3 && Math.Max(Math.Abs(x), Math.Abs(y)) <= 0.95);

    internal static Shape Star { get; } = new("star", InStar);

    /// <summary>What the model is never shown: samples teach it.</summary>
    internal static Shape Heart { get; } = new("heart", InHeart);

    /// <summary>What the model is never shown: samples teach it.</summary>
    internal static Shape Moon { get; } =
        new("moon", (x, y) => (x * x) + (y * y) <= 1 && ((x - 0.5) * (x - 0.5)) + (y * y) > 0.64);

    /// <summary>The shapes of the model's own world.</summary>
    internal static IReadOnlyList<Shape> Known { get; } = [Circle, Square, Triangle, Star];

    /// <summary>All shapes.</summary>
    internal static IReadOnlyList<Shape> All { get; } = [.. Known, Cross, Heart, Moon];

    // Five points: the edge runs from a point at radius 1 to a notch at radius 0.5, straight.
    private static bool InStar(double x, double y)
    {
        const double step = Math.PI / 5;
        const double notch = 0.5;
        var angle = Math.Abs(Math.IEEERemainder(Math.Atan2(x, -y), 2 * step));   // from the nearest point, up to the notch
        var radius = Math.Sqrt((x * x) + (y * y));
        var (along, across) = (radius * Math.Cos(angle), radius * Math.Sin(angle));
        var (notchX, notchY) = (notch * Math.Cos(step), notch * Math.Sin(step));
        return ((1 - along) * notchY) - (across * (1 - notchX)) >= 0;
    }

    // Two discs and the triangle of their tangents.
    private static bool InHeart(double x, double y)
    {
        var (side, radius) = (Math.Abs(x), 0.46);
        if (((side - 0.5) * (side - 0.5)) + ((y + 0.4) * (y + 0.4)) <= radius * radius) return true;
        return y is >= -0.4 and <= 0.95 && side <= Math.Min(0.97 - (0.97 * (y + 0.22) / 1.17), 0.97) && (y > -0.22 || side <= 0.5);
    }
}

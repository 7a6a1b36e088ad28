namespace StableTune.Schedules;

/// <summary>How a schedule gets from one height to another.</summary>
public abstract class RampShape
{
    /// <summary>For another shape.</summary>
    /// <param name="name">The name that configurations use.</param>
    protected RampShape(string name) => Name = name;

    /// <summary>A straight line.</summary>
    public static RampShape Linear { get; } = new Line();

    /// <summary>Half a wave, flat at both ends.</summary>
    public static RampShape Cosine { get; } = new Wave();

    /// <summary>1 - √x on the way down, 1 - √(1 - x) on the way up: steep at first when falling, at last when rising
    /// (<c>1-sqrt</c>).</summary>
    /// <remarks>Hägele et al., Scaling laws and compute-optimal training beyond fixed training durations, arXiv:2405.18392.</remarks>
    public static RampShape OneMinusRoot { get; } = new Root();

    /// <summary>The shapes that <see cref="Parse"/> knows.</summary>
    public static IReadOnlyList<RampShape> Known { get; } = [Linear, Cosine, OneMinusRoot];

    /// <summary>The name that configurations use: <c>linear</c>, <c>cosine</c>, <c>1-sqrt</c>.</summary>
    public string Name { get; }

    /// <summary>The shape with this name.</summary>
    /// <exception cref="FormatException">No shape has this name; the message lists the known ones.</exception>
    public static RampShape Parse(string name) => Known.FirstOrDefault(shape => shape.Name == name)
        ?? throw new FormatException($"\"{ShortText.Of(name)}\" is no shape of a ramp; known are "
            + string.Join(", ", Known.Select(shape => shape.Name)));

    /// <summary>The height on the way up.</summary>
    /// <param name="done">The part that is done, 0 to 1.</param>
    /// <returns>0 to 1.</returns>
    public abstract double Rise(double done);

    /// <summary>The height on the way down.</summary>
    /// <param name="done">The part that is done, 0 to 1.</param>
    /// <param name="waves">How many waves a wave has, 0.5 for one way down; other shapes don't look at it.</param>
    /// <returns>1 to 0.</returns>
    public abstract double Fall(double done, double waves);

    /// <inheritdoc/>
    public sealed override string ToString() => Name;

    private sealed class Line() : RampShape("linear")
    {
        public override double Rise(double done) => done;

        public override double Fall(double done, double waves) => 1 - done;
    }

    private sealed class Wave() : RampShape("cosine")
    {
        public override double Rise(double done) => 0.5 * (1 - Math.Cos(Math.PI * done));

        public override double Fall(double done, double waves) => CosineScheduleOptions.At(waves, done);
    }

    private sealed class Root() : RampShape("1-sqrt")
    {
        public override double Rise(double done) => 1 - Math.Sqrt(1 - done);

        public override double Fall(double done, double waves) => 1 - Math.Sqrt(done);
    }
}

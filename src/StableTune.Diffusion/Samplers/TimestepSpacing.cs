namespace StableTune.Samplers;

/// <summary>How the steps of a sampler are spread over the training timesteps.</summary>
/// <remarks>Lin et al., Common diffusion noise schedules and sample steps are flawed, arXiv:2305.08891, table 2.</remarks>
public abstract class TimestepSpacing
{
    /// <summary>For another spacing.</summary>
    /// <param name="name">The name that scheduler configurations use.</param>
    protected TimestepSpacing(string name) => Name = name;

    /// <summary>i · ⌊T / steps⌋ + offset: whole numbers that stop short of T - 1.</summary>
    public static TimestepSpacing Leading { get; } = new LeadingSpacing();

    /// <summary>From T - 1 to 0 in equal parts; fractions are kept.</summary>
    public static TimestepSpacing Linspace { get; } = new LinspaceSpacing();

    /// <summary>round(T - i · T / steps) - 1: begins at T - 1 and stops short of 0.</summary>
    public static TimestepSpacing Trailing { get; } = new TrailingSpacing();

    /// <summary>The spacings that <see cref="Parse"/> knows.</summary>
    public static IReadOnlyList<TimestepSpacing> Known { get; } = [Leading, Linspace, Trailing];

    /// <summary>The name that scheduler configurations use: <c>leading</c>, <c>linspace</c>, <c>trailing</c>.</summary>
    public string Name { get; }

    /// <summary>
    /// Whether the walk starts at the greatest sigma. Where it does not, samplers that work with sigmas start from
    /// √(σ² + 1), as the reference does.
    /// </summary>
    public abstract bool StartsAtGreatestSigma { get; }

    /// <summary>
    /// Whether the last time is where the process ends. Solvers that go from their last time to the image place one time more and leave
    /// that one out.
    /// </summary>
    protected virtual bool ReachesTheEnd => true;

    /// <summary>The spacing with this name.</summary>
    /// <exception cref="ArgumentException">No spacing has this name; the message lists the known ones.</exception>
    public static TimestepSpacing Parse(string name) =>
        Known.FirstOrDefault(spacing => spacing.Name == name)
        ?? throw new ArgumentException(
            $"\"{name}\" is no spacing of timesteps; known are {string.Join(", ", Known.Select(spacing => spacing.Name))}.", nameof(name));

    /// <summary>The times, decreasing, [steps].</summary>
    /// <param name="steps">The number of steps, 1 to <paramref name="count"/>.</param>
    /// <param name="count">The number of training timesteps, T.</param>
    /// <param name="offset">Added to each time of the spacing <see cref="Leading"/>; the others ignore it.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are too few or too many steps, or a time is not in [0, T).</exception>
    public double[] Timesteps(int steps, int count, int offset = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(steps, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(steps, count);
        return Checked(Spread(steps, count, offset), steps, count, offset);
    }

    /// <summary>Whole times, the end of the process left out, as DPM-Solver and UniPC place them: decreasing, [steps].</summary>
    /// <param name="steps">The number of steps, at least 1; at most T, or T - 1 where the end is one of the times.</param>
    /// <param name="count">The number of training timesteps, T.</param>
    /// <param name="offset">As for <see cref="Timesteps"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are too few or too many steps, or a time is not in [0, T).</exception>
    public double[] WholeTimesteps(int steps, int count, int offset = 0)
    {
        var more = ReachesTheEnd ? 1 : 0;
        ArgumentOutOfRangeException.ThrowIfLessThan(steps, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(steps, count - more);
        return Checked([.. Spread(steps + more, count, offset).Take(steps).Select(time => Math.Round(time))], steps, count, offset);
    }

    /// <inheritdoc/>
    public sealed override string ToString() => Name;

    private static double[] Checked(double[] times, int steps, int count, int offset) => times[0] <= count - 1 && times[^1] >= 0
        ? times
        : throw new ArgumentOutOfRangeException(nameof(offset), offset,
            $"{steps} steps with this offset reach from {times[0]} to {times[^1]}, outside 0 to {count - 1}. "
            + "Take fewer steps or an offset of 0.");

    /// <summary>The times, not yet checked, decreasing, [steps].</summary>
    protected abstract double[] Spread(int steps, int count, int offset);

    private sealed class LeadingSpacing() : TimestepSpacing("leading")
    {
        public override bool StartsAtGreatestSigma => false;

        protected override double[] Spread(int steps, int count, int offset)
        {
            var times = new double[steps];
            for (var i = 0; i < steps; i++) times[i] = (steps - 1 - i) * (count / steps) + offset;
            return times;
        }
    }

    private sealed class LinspaceSpacing() : TimestepSpacing("linspace")
    {
        public override bool StartsAtGreatestSigma => true;

        // One step stays at 0, as numpy.linspace(0, T - 1, 1) does: the reference's choice.
        protected override double[] Spread(int steps, int count, int offset)
        {
            var times = new double[steps];
            var width = steps > 1 ? (count - 1.0) / (steps - 1) : 0;
            for (var i = 0; i < steps; i++) times[i] = i == 0 && steps > 1 ? count - 1 : (steps - 1 - i) * width;
            return times;
        }
    }

    private sealed class TrailingSpacing() : TimestepSpacing("trailing")
    {
        public override bool StartsAtGreatestSigma => true;

        protected override bool ReachesTheEnd => false;

        protected override double[] Spread(int steps, int count, int offset)
        {
            var times = new double[steps];
            for (var i = 0; i < steps; i++) times[i] = Math.Round(count - i * (count / (double)steps), MidpointRounding.ToEven) - 1;
            return times;
        }
    }
}

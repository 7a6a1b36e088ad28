using System.Collections.Immutable;
using System.Globalization;

namespace StableTune.Schedules;

/// <summary>The learning rate goes through given points, in straight lines between them: any curve.</summary>
public sealed record PointsScheduleOptions : LrScheduleOptions
{
    /// <summary>The points: <c>CurvePoints.Parse("0:0, 100:1, 50%:1, 100%:0.1")</c>. Must be set.</summary>
    public CurvePoints? Points { get; init; }

    /// <inheritdoc/>
    public override string Name => "points";

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Points is null) yield return Problem(Points, "the schedule needs points", "use CurvePoints.Parse(\"0:0, 10%:1, 100%:0.1\")");
    }

    /// <inheritdoc/>
    public override ILrSchedule Create(int totalSteps)
    {
        var points = (Points ?? throw new InvalidOptionsException([.. Validate()])).In(totalSteps);
        return new ScheduleCurve(step => CurvePoints.At(points, step));
    }
}

/// <summary>A point of a curve of learning rates.</summary>
/// <param name="At">Its place: a step counted from 0, or a part of the run.</param>
/// <param name="Factor">The factor there, not negative.</param>
public readonly record struct CurvePoint(Warmup At, double Factor)
{
    /// <summary>A point at a step, counted from 0.</summary>
    public static CurvePoint AtStep(int step, double factor) => new(Warmup.Steps(step), factor);

    /// <summary>A point at a part of the run, 0 to 1.</summary>
    public static CurvePoint AtPart(double part, double factor) => new(Warmup.Ratio(part), factor);
}

/// <summary>Points of a curve of learning rates. Before the first and after the last the curve is flat.</summary>
public sealed class CurvePoints : IEquatable<CurvePoints>
{
    private readonly ImmutableArray<CurvePoint> _points;

    /// <summary>Some points, in any order.</summary>
    /// <exception cref="FormatException">There are none, a place lies outside of the run, or a factor is negative or no number.</exception>
    public CurvePoints(params IEnumerable<CurvePoint> points)
    {
        _points = [.. points];
        if (_points.Length == 0) throw new FormatException("a curve needs at least one point");
        foreach (var point in _points)
        {
            if (!point.At.IsValid) throw new FormatException($"{point.At} is no place in a run: give a step, or a part from 0 to 1");
            if (!(point.Factor >= 0 && double.IsFinite(point.Factor)))
                throw new FormatException($"{point.Factor} is no factor: give 0 or more");
        }
    }

    /// <summary>Points written as place:factor. A place is a step ("100"), a part ("0.5") or a percentage ("50%").</summary>
    /// <param name="text">"0:0, 100:1, 50%:1, 100%:0.1".</param>
    /// <exception cref="FormatException">It is not written so.</exception>
    public static CurvePoints Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        CurvePoint Point(string part) => part.Split(':', StringSplitOptions.TrimEntries) is [var place, var factor]
            && Place(place) is { } at && Number(factor) is { } height ? new CurvePoint(at, height)
            : throw new FormatException($"\"{ShortText.Of(text)}\" is no curve, because of \"{ShortText.Of(part)}\": write place:factor "
                + "pairs, as in 0:0, 100:1, 50%:1, 100%:0.1");
        return new CurvePoints([.. text.Split(',', StringSplitOptions.TrimEntries).Select(Point)]);
    }

    /// <summary>The points with their steps, in order; of points at one step the last given counts from there on.</summary>
    internal (int Step, double Factor)[] In(int totalSteps) =>
        [.. _points.Select(point => (point.At.In(totalSteps), point.Factor)).OrderBy(point => point.Item1)];

    /// <summary>The height of a curve at a step.</summary>
    internal static double At((int Step, double Factor)[] points, int step)
    {
        var next = Array.FindIndex(points, point => point.Step > step);
        if (next == 0) return points[0].Factor;
        if (next < 0) return points[^1].Factor;
        var ((from, low), (to, high)) = (points[next - 1], points[next]);
        return low + ((high - low) * (step - from) / (to - from));
    }

    /// <inheritdoc/>
    public bool Equals(CurvePoints? other) => other is not null && _points.SequenceEqual(other._points);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as CurvePoints);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_points.Length, _points[0]);

    /// <summary>The notation that <see cref="Parse"/> reads.</summary>
    public override string ToString() => string.Join(", ", _points.Select(point => string.Create(CultureInfo.InvariantCulture,
        $"{(point.At.Part is { } part ? Part(part) : point.At.In(0))}:{point.Factor}")));

    /// <summary>A part is told from a step by its point.</summary>
    private static string Part(double part) =>
        part == Math.Floor(part) ? part.ToString("0.0", CultureInfo.InvariantCulture) : part.ToString("R", CultureInfo.InvariantCulture);

    private static Warmup? Place(string text) =>
        text.EndsWith('%') ? Number(text[..^1]) is { } percent ? Warmup.Ratio(percent / 100) : null
        : int.TryParse(text, CultureInfo.InvariantCulture, out var step) ? Warmup.Steps(step)
        : Number(text) is { } part ? Warmup.Ratio(part) : null;

    private static double? Number(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : null;
}

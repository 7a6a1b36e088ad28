namespace StableTune.Schedules;

/// <summary>The learning rate follows a function of the program's own.</summary>
/// <example><code>builder.WithSchedule(new FunctionScheduleOptions((step, steps) => 1 - (double)step / steps));</code></example>
public sealed record FunctionScheduleOptions : LrScheduleOptions
{
    /// <summary>A schedule that follows a function.</summary>
    /// <param name="curve">See <see cref="Curve"/>.</param>
    public FunctionScheduleOptions(Func<int, int, double> curve)
    {
        ArgumentNullException.ThrowIfNull(curve);
        Curve = curve;
    }

    /// <summary>Gives the factor, a finite number, of a step (counted from 0) in a run of so many steps.</summary>
    public Func<int, int, double> Curve { get; init; }

    /// <inheritdoc/>
    public override string Name => "function";

    /// <inheritdoc/>
    public override ILrSchedule Create(int totalSteps) => new ScheduleCurve(step => Curve(step, totalSteps));
}

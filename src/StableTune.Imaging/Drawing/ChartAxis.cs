using System.Globalization;

namespace StableTune.Imaging;

/// <summary>An axis of a chart: a range of values with round ticks, laid onto a range of pixels.</summary>
internal sealed class ChartAxis
{
    private readonly double _start, _end;

    /// <param name="low">The smallest value that must be on it.</param>
    /// <param name="high">The largest.</param>
    /// <param name="start">The pixel of the low end.</param>
    /// <param name="end">The pixel of the high end; may be below the start.</param>
    /// <param name="wantedTicks">About how many ticks there should be.</param>
    /// <param name="toTicks">Whether the axis is widened so that it begins and ends at a tick.</param>
    internal ChartAxis(double low, double high, double start, double end, int wantedTicks, bool toTicks)
    {
        if (high - low <= Math.Abs(high) * 1e-9)
        {
            var half = low == 0 ? 1 : Math.Abs(low) * 0.5;   // one value alone stands in the middle
            (low, high) = (low - half, high + half);
        }

        var step = RoundStep((high - low) / wantedTicks);
        if (toTicks) (low, high) = (Math.Floor((low / step) + 1e-9) * step, Math.Ceiling((high / step) - 1e-9) * step);
        (Low, High, _start, _end) = (low, high, start, end);
        var first = (long)Math.Ceiling((low / step) - 1e-9);
        var count = (long)Math.Floor((high / step) + 1e-9) - first + 1;
        Ticks = [.. Enumerable.Range(0, (int)Math.Clamp(count, 0, 100)).Select(i => (first + i) * step)];
        Format = Labels(step, Math.Max(Math.Abs(low), Math.Abs(high)));
    }

    internal double Low { get; }

    internal double High { get; }

    /// <summary>The values at which ticks stand.</summary>
    internal IReadOnlyList<double> Ticks { get; }

    /// <summary>How a tick's value is written.</summary>
    internal Func<double, string> Format { get; }

    /// <summary>The pixel of a value.</summary>
    internal double At(double value) => _start + ((value - Low) / (High - Low) * (_end - _start));

    // 1, 2 or 5 times a power of ten, not below the wanted step.
    private static double RoundStep(double step)
    {
        var power = Math.Pow(10, Math.Floor(Math.Log10(step)));
        var digit = step / power;
        return power * (digit <= 1 + 1e-9 ? 1 : digit <= 2 + 1e-9 ? 2 : digit <= 5 + 1e-9 ? 5 : 10);
    }

    private static Func<double, string> Labels(double step, double largest)
    {
        if (largest is >= 1e6 or <= 1e-3)
        {
            var digits = Math.Clamp((int)(Math.Floor(Math.Log10(largest)) - Math.Floor(Math.Log10(step))), 0, 9);
            var scientific = "0." + new string('0', digits) + "e0";
            return value => value == 0 ? "0" : value.ToString(digits == 0 ? "0e0" : scientific, CultureInfo.InvariantCulture);
        }

        var decimals = Math.Clamp((int)-Math.Floor(Math.Log10(step) + 1e-9), 0, 12);
        return value => (value == 0 ? 0 : value).ToString("F" + decimals.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
    }
}

using System.Globalization;

namespace StableTune;

/// <summary>
/// Shows progress as one line of text that is written over: step, epoch, loss, learning rate, speed, time left, memory, and from a
/// twentieth of the time on how much of it steps waited for data. Reports on the calling
/// thread, so the line is never out of order. On a writer that is no terminal, a line is written every so often instead.
/// </summary>
/// <param name="writer">Where the line goes, for instance the process' standard output.</param>
/// <param name="interactive">Whether the line may be written over.</param>
/// <param name="time">The clock that spaces lines on a writer that is no terminal; the system's when null.</param>
public sealed class ConsoleProgress(TextWriter writer, bool interactive, TimeProvider? time = null) : IProgress<TrainingProgress>
{
    private const double NotableWait = 0.05;

    private static readonly TimeSpan Spacing = TimeSpan.FromSeconds(5);

    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private long? _last;
    private string _stage = "";
    private int _width;

    /// <inheritdoc/>
    public void Report(TrainingProgress value)
    {
        ArgumentNullException.ThrowIfNull(value);
        var line = Describe(value);
        var last = value.Work is { } work ? work.Done == work.Total : value.Step == value.TotalSteps;
        var stage = value.Work?.Stage ?? value.Phase.ToString();
        if (interactive)
        {
            writer.Write("\r" + line.PadRight(_width));
            _width = line.Length;
            if (last) Break();                                               // what is written next must not run into it
        }
        else if (last || stage != _stage || _last is not { } shown || _time.GetElapsedTime(shown) >= Spacing)
        {
            writer.WriteLine(line);
            _last = _time.GetTimestamp();
        }

        _stage = stage;
        writer.Flush();
    }

    /// <summary>The line for a report.</summary>
    public static string Describe(TrainingProgress value)
    {
        ArgumentNullException.ThrowIfNull(value);
        if (value.Phase != TrainingPhase.Training) return value.ToString();
        var rate = value.LearningRates.Count == 0 ? ""
            : " lr " + string.Join("/", value.LearningRates.Values.Distinct()
            .Select(r => r.ToString("0.##e-0", CultureInfo.InvariantCulture)));
        var left = value.Remaining is { } time ? " left " + Clock(time) : "";
        var waits = value.DataWait >= NotableWait * value.Elapsed && value.DataWait > TimeSpan.Zero
            ? string.Create(CultureInfo.InvariantCulture, $" waits for data {100 * (value.DataWait / value.Elapsed):F0} %") : "";
        return string.Create(CultureInfo.InvariantCulture,
            $"step {value.Step}/{value.TotalSteps} epoch {value.Epoch}/{value.TotalEpochs} loss {value.Loss:F4} average "
                + $"{value.AverageLoss:F4}{rate} {value.StepsPerSecond:F2} it/s{waits}{left} "
                    + $"{value.ResidentBytes / (double)(1 << 20):F0} MiB");
    }

    private static string Clock(TimeSpan time) => time.TotalHours >= 1
        ? string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalHours}:{time.Minutes:D2}:{time.Seconds:D2}")
        : string.Create(CultureInfo.InvariantCulture, $"{time.Minutes}:{time.Seconds:D2}");

    private void Break()
    {
        writer.WriteLine();
        _width = 0;
    }
}

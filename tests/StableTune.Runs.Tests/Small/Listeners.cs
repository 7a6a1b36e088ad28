using StableTune.Training;

namespace StableTune.Tests;

/// <summary>What a report is about, for comparing.</summary>
internal static class ReportStages
{
    internal static string Stage(this TrainingProgress report) => report.Work?.Stage ?? report.Phase.ToString().ToLowerInvariant();
}

/// <summary>Keeps the reports it is given, on the thread that gives them, and does something with each.</summary>
internal sealed class Reports(Action<TrainingProgress>? then = null) : IProgress<TrainingProgress>
{
    public List<TrainingProgress> All { get; } = [];

    public TrainingProgress[] Steps => [.. All.Where(r => r.Phase == TrainingPhase.Training)];

    public void Report(TrainingProgress value)
    {
        All.Add(value);
        then?.Invoke(value);
    }

    /// <summary>Cancels when a step is done.</summary>
    public static Reports CancelAt(int step, CancellationTokenSource source) => new(r =>
    {
        if (r.Phase == TrainingPhase.Training && r.Step == step) source.Cancel();
    });
}

/// <summary>Writes down what it is told, and throws where it is asked to.</summary>
internal sealed class Recorder : ITrainingObserver
{
    public List<string> Events { get; } = [];

    public List<TrainingEnd> Ends { get; } = [];

    public List<SaveMoment> Saves { get; } = [];

    public TrainingStart? Started { get; private set; }

    public int Thread { get; private set; }

    /// <summary>Called with each event before it is written down: "step 2", "end 3" ...</summary>
    public Action<string>? Before { get; init; }

    public void OnStart(TrainingStart start)
    {
        (Started, Thread) = (start, Environment.CurrentManagedThreadId);
        Note("start");
    }

    public void OnStep(TrainingProgress progress) => Note($"step {progress.Step}");

    public void OnEpoch(TrainingProgress progress) => Note($"epoch {progress.Epoch}");

    public void OnSave(SaveMoment moment, IReadOnlyList<string> files)
    {
        Saves.Add(moment);
        Note($"save {moment.Reason} {moment.Step}");
    }

    public void OnSample(int step, IReadOnlyList<string> files) => Note($"sample {step}");

    public void OnEnd(TrainingEnd end)
    {
        Ends.Add(end);
        Note($"end {end.Step}");
    }

    private void Note(string what)
    {
        Before?.Invoke(what);
        Events.Add(what);
    }
}

/// <summary>A saver that can fail.</summary>
internal sealed class FailingSaver(Func<SaveMoment, bool> fails, Exception fault) : ISaver
{
    public List<SaveReason> Asked { get; } = [];

    public IReadOnlyList<string> Save(SaveMoment moment)
    {
        Asked.Add(moment.Reason);
        return fails(moment) ? throw fault : [];
    }
}

/// <summary>A clock that moves when it is told to.</summary>
internal sealed class ManualClock : TimeProvider
{
    private long _ticks;

    public DateTimeOffset Start { get; init; } = new(2026, 3, 4, 5, 6, 7, TimeSpan.Zero);

    /// <summary>How far the clock moves each time it is read for a timestamp.</summary>
    public TimeSpan PerReading { get; init; }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public override DateTimeOffset GetUtcNow() => Start.AddTicks(_ticks);

    public override long GetTimestamp() => _ticks += PerReading.Ticks;

    public void Advance(TimeSpan time) => _ticks += time.Ticks;
}

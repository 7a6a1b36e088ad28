namespace StableTune.Training;

/// <summary>Measures the time spent in training steps and, of it, waiting for their data, leaving out what happens between them
/// (sampling, saving).</summary>
internal sealed class StepClock(TimeProvider time)
{
    private const int Window = 20;

    private readonly Queue<TimeSpan> _recent = new();
    private TimeSpan _recentSum;
    private long _started;
    private TimeSpan _waited;

    public TimeSpan Elapsed { get; private set; }

    /// <summary>Of <see cref="Elapsed"/>, the time before the data of a step was there.</summary>
    public TimeSpan DataWait { get; private set; }

    /// <summary>Steps per second over the last steps; 0 before the first.</summary>
    public double StepsPerSecond => _recentSum > TimeSpan.Zero ? _recent.Count / _recentSum.TotalSeconds : 0;

    public void Start() => (_started, _waited) = (time.GetTimestamp(), TimeSpan.Zero);

    /// <summary>The data of the step that was started is there.</summary>
    public void DataArrived() => _waited = time.GetElapsedTime(_started);

    public void Stop()
    {
        var took = time.GetElapsedTime(_started);
        Elapsed += took;
        DataWait += _waited;
        _recentSum += took;
        _recent.Enqueue(took);
        if (_recent.Count > Window) _recentSum -= _recent.Dequeue();
    }

    public TimeSpan? Remaining(int steps) => StepsPerSecond > 0 ? TimeSpan.FromSeconds(steps / StepsPerSecond) : null;

    public void Save(StateWriter writer)
    {
        writer.Number("elapsed_ticks", Elapsed.Ticks);
        writer.Number("data_wait_ticks", DataWait.Ticks);
    }

    public void Load(StateReader reader) =>
        (Elapsed, DataWait) = (TimeSpan.FromTicks(reader.Long("elapsed_ticks")), TimeSpan.FromTicks(reader.Long("data_wait_ticks")));
}

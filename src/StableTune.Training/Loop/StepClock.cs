namespace StableTune.Training;

/// <summary>Measures the time spent in training steps, leaving out what happens between them (sampling, saving).</summary>
internal sealed class StepClock(TimeProvider time)
{
    private const int Window = 20;

    private readonly Queue<TimeSpan> _recent = new();
    private TimeSpan _recentSum;
    private long _started;

    public TimeSpan Elapsed { get; private set; }

    /// <summary>Steps per second over the last steps; 0 before the first.</summary>
    public double StepsPerSecond => _recentSum > TimeSpan.Zero ? _recent.Count / _recentSum.TotalSeconds : 0;

    public void Start() => _started = time.GetTimestamp();

    public void Stop()
    {
        var took = time.GetElapsedTime(_started);
        Elapsed += took;
        _recentSum += took;
        _recent.Enqueue(took);
        if (_recent.Count > Window) _recentSum -= _recent.Dequeue();
    }

    public TimeSpan? Remaining(int steps) => StepsPerSecond > 0 ? TimeSpan.FromSeconds(steps / StepsPerSecond) : null;
}

using System.Collections.Concurrent;

namespace StableTune.Hub.Tests;

/// <summary>
/// A clock for tests: pauses pass at once and are noted; time limits (timers of a <see cref="CancellationTokenSource"/>) run out when the
/// test says so.
/// </summary>
public sealed class FakeClock : TimeProvider
{
    private readonly ConcurrentDictionary<LimitTimer, byte> _limits = new();
    private long _ticks = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero).UtcTicks;

    /// <summary>The pauses so far.</summary>
    public ConcurrentQueue<TimeSpan> Pauses { get; } = new();

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow() => new(Interlocked.Read(ref _ticks), TimeSpan.Zero);

    public override long GetTimestamp() => Interlocked.Read(ref _ticks);

    /// <summary>Lets time pass; limits that are over run out.</summary>
    public void Advance(TimeSpan time)
    {
        var now = Interlocked.Add(ref _ticks, time.Ticks);
        foreach (var timer in _limits.Keys.Where(t => t.Due <= now)) timer.Fire();
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new LimitTimer(this, callback, state);
        if (state is CancellationTokenSource)
        {
            timer.Change(dueTime, period);
            return timer;
        }

        if (dueTime == Timeout.InfiniteTimeSpan) return timer;
        Pauses.Enqueue(dueTime);
        Interlocked.Add(ref _ticks, dueTime.Ticks);
        ThreadPool.QueueUserWorkItem(_ => callback(state));
        return timer;
    }

    private sealed class LimitTimer(FakeClock clock, TimerCallback callback, object? state) : ITimer
    {
        public long Due { get; private set; } = long.MaxValue;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            Due = dueTime == Timeout.InfiniteTimeSpan ? long.MaxValue : clock.GetTimestamp() + dueTime.Ticks;
            clock._limits[this] = 0;
            return true;
        }

        public void Fire()
        {
            if (clock._limits.TryRemove(this, out _)) callback(state);
        }

        public void Dispose() => clock._limits.TryRemove(this, out _);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}

namespace StableTune.Checkpoints;

/// <summary>Joins the progress of several files into one of megabytes.</summary>
internal sealed class LoadProgress
{
    private const double Megabyte = 1e6;

    private readonly IProgress<WorkProgress> _receiver;
    private readonly long _total;
    private readonly Lock _gate = new();
    private long _before;
    private int _reported = -1;

    private LoadProgress(IProgress<WorkProgress> receiver, long total) => (_receiver, _total) = (receiver, total);

    /// <summary>Progress over that many bytes, which begins with a report of what is loaded; null when nobody listens.</summary>
    public static LoadProgress? Create(IProgress<WorkProgress>? receiver, long total, string what)
    {
        receiver?.Report(new WorkProgress { Stage = "loading", Done = 0, Total = (int)Math.Round(total / Megabyte), Item = what });
        return receiver is null ? null : new LoadProgress(receiver, total);
    }

    /// <summary>The progress of the next file.</summary>
    /// <param name="length">Its bytes.</param>
    public IProgress<double> For(long length)
    {
        var before = _before;
        _before += length;
        return new Part(part => Report(before + (long)(part * length)));
    }

    // Several threads report; only news are passed on.
    private void Report(long done)
    {
        lock (_gate)
        {
            var megabytes = (int)Math.Round(done / Megabyte);
            if (megabytes <= _reported) return;
            _reported = megabytes;
            _receiver.Report(new WorkProgress { Stage = "loading", Done = megabytes, Total = (int)Math.Round(_total / Megabyte) });
        }
    }

    // Progress<T> would report on a thread pool thread, later.
    private sealed class Part(Action<double> report) : IProgress<double>
    {
        public void Report(double value) => report(value);
    }
}

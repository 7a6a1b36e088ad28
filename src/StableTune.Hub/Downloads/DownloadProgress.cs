namespace StableTune.Hub;

/// <summary>Adds up what several downloads or uploads have done, and reports it: in megabytes (10^6 bytes), at most ten times a second, in
/// order.</summary>
internal sealed class DownloadProgress(
    IProgress<WorkProgress>? progress, long totalBytes, TimeProvider clock, string stage = "downloading")
{
    private const double Megabyte = 1e6;
    private static readonly TimeSpan Spacing = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    private readonly long _start = clock.GetTimestamp();
    private long _bytes, _fetched;
    private long? _last;

    /// <summary>Bytes are there that were not, or (negative) had to be thrown away.</summary>
    /// <param name="file">The file they belong to.</param>
    /// <param name="bytes">How many.</param>
    /// <param name="fetched">Whether they came from the network; what an earlier run left does not count for the speed.</param>
    public void Add(HubFile file, long bytes, bool fetched = true)
    {
        if (progress is null) return;
        lock (_lock)
        {
            _bytes += bytes;
            if (fetched) _fetched += bytes;
            if (_bytes < totalBytes && _last is { } last && clock.GetElapsedTime(last) < Spacing) return;
            _last = clock.GetTimestamp();
            progress.Report(Now(file));
        }
    }

    private WorkProgress Now(HubFile file)
    {
        var seconds = clock.GetElapsedTime(_start).TotalSeconds;
        var speed = seconds > 0 ? Math.Max(0, _fetched) / seconds : 0;
        return new WorkProgress
        {
            Stage = stage,
            Item = file.Path,
            Done = Megabytes(_bytes),
            Total = Megabytes(totalBytes),
            PerSecond = speed / Megabyte,
            Remaining = speed > 0 ? TimeSpan.FromSeconds(Math.Min((totalBytes - _bytes) / speed, 1e6)) : null,
        };
    }

    private static int Megabytes(long bytes) => (int)Math.Min(int.MaxValue, Math.Ceiling(bytes / Megabyte));
}

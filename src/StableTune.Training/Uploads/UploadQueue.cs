using System.Collections.Concurrent;
using StableTune.Hub;

namespace StableTune.Training;

/// <summary>One upload: files that are open already, and the message of their commit.</summary>
internal sealed record UploadJob(string Summary, IReadOnlyList<HubUploadFile> Files) : IDisposable
{
    public void Dispose()
    {
        foreach (var file in Files) file.Dispose();
    }
}

/// <summary>Uploads one job after the other on a thread of its own. Only so many may wait; who brings one more waits himself.</summary>
internal sealed class UploadQueue : IDisposable
{
    private readonly BlockingCollection<UploadJob> _jobs;
    private readonly CancellationTokenSource _given = new();
    private readonly Action<UploadJob, CancellationToken> _upload;
    private readonly Task _work;

    /// <param name="most">Jobs that may wait.</param>
    /// <param name="upload">Uploads one; throws nothing.</param>
    public UploadQueue(int most, Action<UploadJob, CancellationToken> upload)
    {
        (_jobs, _upload) = (new BlockingCollection<UploadJob>(most), upload);
        _work = Task.Factory.StartNew(Work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>Tells that nothing is waited for any longer.</summary>
    public CancellationToken Given => _given.Token;

    /// <summary>Adds one, which becomes the queue's; false where the time to wait for a place was over.</summary>
    public bool TryAdd(UploadJob job)
    {
        try
        {
            _jobs.Add(job, _given.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>From now on no longer than this is waited for anything.</summary>
    public void LimitTo(TimeSpan most) => _given.CancelAfter(most);

    /// <summary>Waits until all is uploaded; what is not when the time is over is given up.</summary>
    public void Finish(TimeSpan most)
    {
        _jobs.CompleteAdding();
        if (!_work.Wait(most > TimeSpan.Zero ? most : TimeSpan.Zero)) _given.Cancel();
        _work.Wait();
    }

    public void Dispose()
    {
        Finish(TimeSpan.Zero);
        _jobs.Dispose();
        _given.Dispose();
    }

    private void Work()
    {
        foreach (var job in _jobs.GetConsumingEnumerable())
            using (job) _upload(job, _given.Token);
    }
}

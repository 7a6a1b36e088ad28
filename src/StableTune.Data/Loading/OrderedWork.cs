namespace StableTune.Data;

/// <summary>Does one kind of work on many items with several threads. Results, progress and the first exception come in the order of the
/// items.</summary>
internal static class OrderedWork
{
    /// <summary>Does the work.</summary>
    /// <param name="count">How many items there are.</param>
    /// <param name="workers">Threads; with 0 the calling thread does the work.</param>
    /// <param name="stage">What progress calls it.</param>
    /// <param name="work">Done for each item, on any thread; what it throws ends the work.</param>
    /// <param name="progress">Counts items, on the calling thread.</param>
    /// <param name="cancellationToken">Ends the work between items.</param>
    internal static List<T> Run<T>(
        int count, int workers, string stage, Func<int, T> work, IProgress<WorkProgress>? progress, CancellationToken cancellationToken)
        where T : class
    {
        var results = new List<T>(count);
        using var running = new OrderedPrefetch<T>(count, workers, 2 * workers, (index, _) => work(index), _ => { });
        while (running.Next(cancellationToken) is { } result)
        {
            results.Add(result);
            progress?.Report(new() { Stage = stage, Done = results.Count, Total = count });
        }

        return results;
    }
}

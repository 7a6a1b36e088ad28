namespace StableTune.Training;

/// <summary>
/// Collects the short-lived objects of steps, some 20 MB each, soon: the runtime lets them grow with the processor's caches, to 85 MB
/// where 260 MiB are shared by its cores. One serves all steps of a process, whose threads share the memory.
/// </summary>
/// <param name="allocated">How many bytes the process has allocated so far; null for what the runtime says.</param>
internal sealed class StepGarbage(Func<long>? allocated = null)
{
    /// <summary>So much may be allocated between two collections.</summary>
    internal const long Most = 16 << 20;

    private long _seen = allocated?.Invoke() ?? GC.GetTotalAllocatedBytes();

    /// <summary>Collects what died young, if enough was allocated since the last time. To be called where nothing of a step is
    /// left.</summary>
    /// <returns>Whether it did; of several threads at once one does.</returns>
    public bool Collect()
    {
        var (seen, now) = (Volatile.Read(ref _seen), allocated?.Invoke() ?? GC.GetTotalAllocatedBytes());
        if (now - seen < Most || Interlocked.CompareExchange(ref _seen, now, seen) != seen) return false;
        GC.Collect(0, GCCollectionMode.Forced, blocking: true);
        return true;
    }
}

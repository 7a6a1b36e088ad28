namespace StableTune.Training;

/// <summary>
/// Collects the short-lived objects of steps, some 20 MB each, soon: the runtime lets them grow with the processor's caches, on a server
/// to hundreds of megabytes, while a collection takes a millisecond.
/// </summary>
/// <param name="allocated">How many bytes the process has allocated so far; null for what the runtime says.</param>
internal sealed class StepGarbage(Func<long>? allocated = null)
{
    /// <summary>So much may be allocated between two collections.</summary>
    internal const long Most = 16 << 20;

    private readonly Func<long> _allocated = allocated ?? (() => GC.GetTotalAllocatedBytes());
    private long _seen = allocated?.Invoke() ?? GC.GetTotalAllocatedBytes();

    /// <summary>Collects what died young, if enough was allocated since the last time. To be called between two steps.</summary>
    /// <returns>Whether it did.</returns>
    public bool Collect()
    {
        var now = _allocated();
        if (now - _seen < Most) return false;
        GC.Collect(0, GCCollectionMode.Forced, blocking: true);
        _seen = now;
        return true;
    }
}

using System.Runtime.ExceptionServices;

namespace StableTune.Torch;

/// <summary>
/// Exceptions of backward passes. They may not unwind through libtorch's frames, so they are kept for the thread that ran the forward pass,
/// and thrown there when the backward pass has returned.
/// </summary>
internal sealed class GradientFaults
{
    [ThreadStatic] private static GradientFaults? s_ofThisThread;
    private Exception? _first;

    internal static GradientFaults OfThisThread => s_ofThisThread ??= new GradientFaults();

    internal bool HasPending => Volatile.Read(ref _first) is not null;

    /// <summary>Keeps the first exception; what follows from it is of no interest.</summary>
    internal void Keep(Exception exception) => Interlocked.CompareExchange(ref _first, exception, null);

    /// <summary>Throws what this thread's backward pass left behind, once.</summary>
    internal static void ThrowPending()
    {
        if (s_ofThisThread is { } faults && Interlocked.Exchange(ref faults._first, null) is { } exception) ExceptionDispatchInfo.Throw(exception);
    }
}

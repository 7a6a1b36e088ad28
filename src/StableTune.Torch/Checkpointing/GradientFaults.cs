using System.Runtime.ExceptionServices;

namespace StableTune.Torch;

/// <summary>
/// Exceptions of backward passes. They may not unwind through libtorch's frames, so they are kept for a thread, and thrown there when the
/// backward pass has returned.
/// </summary>
internal sealed class GradientFaults
{
    [ThreadStatic] private static GradientFaults? s_ofThisThread;
    [ThreadStatic] private static int s_passes;
    private Exception? _first;

    internal static GradientFaults OfThisThread => s_ofThisThread ??= new GradientFaults();

    /// <summary>
    /// Where a node keeps its exception: with the thread that waits in <see cref="Gradients.Backward"/> if it is this one, else with that
    /// of the forward pass. libtorch computes the gradients of a GPU on a thread of its own, which nobody can be told on.
    /// </summary>
    /// <param name="ofForwardPass">Those of the thread that ran the forward pass.</param>
    internal static GradientFaults OfPass(GradientFaults ofForwardPass) => s_passes > 0 ? OfThisThread : ofForwardPass;

    internal static void BeginPass() => s_passes++;

    internal static void EndPass() => s_passes--;

    internal bool HasPending => Volatile.Read(ref _first) is not null;

    /// <summary>Keeps the first exception; what follows from it is of no interest.</summary>
    internal void Keep(Exception exception) => Interlocked.CompareExchange(ref _first, exception, null);

    /// <summary>Throws what this thread's backward pass left behind, once.</summary>
    internal static void ThrowPending()
    {
        if (s_ofThisThread is { } faults && Interlocked.Exchange(ref faults._first, null) is { } exception)
            ExceptionDispatchInfo.Throw(exception);
    }
}

using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

namespace StableTune.LibTorch;

/// <summary>
/// Exceptions that a managed callback threw while libtorch was calling it. They wait here under a ticket that travels through the
/// native frames, and are thrown again, stack trace kept, where control comes back to managed code (maybe on another thread).
/// </summary>
internal static class HostExceptions
{
    private const int HostFailed = 2;
    private static readonly ConcurrentDictionary<long, ExceptionDispatchInfo> s_waiting = new();
    private static long s_lastTicket;

    /// <summary>Keeps an exception and returns its ticket, never 0.</summary>
    internal static long Keep(Exception exception)
    {
        var ticket = Interlocked.Increment(ref s_lastTicket);
        s_waiting[ticket] = ExceptionDispatchInfo.Capture(exception);
        return ticket;
    }

    /// <summary>Throws the kept exception if the status says that a callback failed.</summary>
    internal static void RethrowIfHost(int status)
    {
        if (status == HostFailed && s_waiting.TryRemove(Native.st_last_ticket(), out var waiting)) waiting.Throw();
    }
}

using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace StableTune.Torch;

/// <summary>
/// Work of ours that all processors share. Where libtorch computes by GNU's OpenMP (Linux), that is done by the same threads: those of .NET
/// would be woken beside them, while they still wait for more work of libtorch's and hold the processors.
/// </summary>
/// <remarks>Among libtorch's own work only: where its threads sleep, a region waits until all of them are awake, and .NET's are
/// quicker, as for a step of an optimizer.</remarks>
internal static unsafe class ComputeThreads
{
    /// <summary>GNU's entry to a parallel region; 0 where libtorch computes by another library.</summary>
    private static readonly Lazy<nint> s_region = new(FindRegion);

    /// <summary>Does each part once, by no more than so many threads.</summary>
    /// <param name="parts">How many there are.</param>
    /// <param name="threads">How many threads may take part, this one with them: as many as libtorch computes with.</param>
    /// <param name="does">Does the part of a number, from 0 on.</param>
    /// <remarks>What the first part to fail throws is thrown to the caller.</remarks>
    internal static void For(int parts, int threads, Action<int> does) => For(parts, threads, does, s_region.Value);

    /// <summary>The same by the region at an address; by .NET's threads where it is 0.</summary>
    internal static void For(int parts, int threads, Action<int> does, nint region)
    {
        if (threads <= 1 || parts <= 1)
        {
            for (var part = 0; part < parts; part++) does(part);
            return;
        }

        var work = new Work(parts, does);
        // All threads of the region, even where parts are fewer: GNU's OpenMP ends those that a region leaves out, and makes new ones for
        // the next that wants all.
        if (region != 0) Share(work, threads, region);
        else Parallel.For(0, Math.Min(threads, parts), _ => work.Take());
        work.Thrown?.Throw();
    }

    private static void Share(Work work, int threads, nint region)
    {
        var handle = GCHandle.Alloc(work);
        try
        {
            ((delegate* unmanaged<delegate* unmanaged<nint, void>, nint, uint, uint, void>)region)(
                &Take, GCHandle.ToIntPtr(handle), (uint)threads, 0);
        }
        finally
        {
            handle.Free();
        }
    }

    /// <summary>What each thread of the region does.</summary>
    [UnmanagedCallersOnly]
    private static void Take(nint handle) => ((Work)GCHandle.FromIntPtr(handle).Target!).Take();

    /// <summary>Looked for among what libtorch itself depends on: the process may hold another OpenMP.</summary>
    private static nint FindRegion() =>
        OperatingSystem.IsLinux() && LoadedLibrary.Handle(LibTorch.Library) is var library && library != 0
            && NativeLibrary.TryGetExport(library, "GOMP_parallel", out var region) ? region : 0;

    private sealed class Work(int parts, Action<int> does)
    {
        private int _next = -1;
        private ExceptionDispatchInfo? _thrown;

        internal ExceptionDispatchInfo? Thrown => _thrown;

        /// <summary>Takes parts until none is left, or one has failed. Throws nothing: no exception may pass through native code.</summary>
        internal void Take()
        {
            try
            {
                while (_thrown is null && Interlocked.Increment(ref _next) is var part && part < parts) does(part);
            }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref _thrown, ExceptionDispatchInfo.Capture(e), null);
            }
        }
    }
}

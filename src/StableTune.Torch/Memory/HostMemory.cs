using System.Runtime.InteropServices;
using StableTune.Torch.Loading;

namespace StableTune.Torch;

/// <summary>
/// Keeps the memory of freed CPU tensors for the next ones, instead of handing it back to the system and fetching it anew page by page,
/// which in a training
/// step costs up to a third of the time. glibc (Linux) only; elsewhere nothing happens.
/// </summary>
/// <remarks>The setting is the process': of several users at once the last to begin sets it, and the last to end switches it off.</remarks>
public static class HostMemory
{
    /// <summary>Bounds of the blocks that are kept: below the first little is gained, and glibc takes no more than the second for a
    /// bound.</summary>
    private const int SmallestBound = 1 << 20, LargestBound = 32 << 20;

    /// <summary>How many blocks malloc may fetch from the system each by itself, as it begins.</summary>
    private const int CustomaryMaps = 1 << 16;

    private static readonly Lock s_gate = new();
    private static int s_users;

    /// <summary>How many keep memory now.</summary>
    internal static int Users { get { lock (s_gate) return s_users; } }

    /// <summary>Whether this system's memory can be kept.</summary>
    public static bool IsSupported { get; } = OperatingSystem.IsLinux() && HasMallopt();

    /// <summary>Keeps freed memory until the result is disposed, which gives it back.</summary>
    /// <param name="bytes">
    /// How much may lie idle at the end of a heap, at most 2 GiB; 0 keeps nothing. Blocks up to a 32nd of it (1 to 32 MiB) are kept:
    /// larger ones leave gaps among the small that nothing fits into, so that more is faster and raises the peak.
    /// </param>
    /// <param name="ofAnySize">
    /// Whether from 1 GiB on blocks above 32 MiB are kept too, of other threads than the first up to 64 MiB, which is glibc's bound of
    /// their heaps. Where sizes are few and come again, as of activations, that is faster and takes no more memory; where they are many,
    /// as of weights that are all cast in turn, the peak is a tenth higher.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">The number is negative.</exception>
    public static IDisposable Keep(long bytes, bool ofAnySize = false) => Keep(bytes, ofAnySize, IsSupported);

    /// <summary>Sets how much freed memory is kept, for a system that can or cannot keep memory.</summary>
    internal static IDisposable Keep(long bytes, bool ofAnySize, bool isSupported)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        if (bytes == 0 || !isSupported) return new Keeping(counts: false);
        lock (s_gate)
        {
            s_users++;
            var most = (int)Math.Min(bytes, int.MaxValue);
            SystemCalls.SetMalloc(SystemCalls.MapThreshold, Math.Clamp(most / 32, SmallestBound, LargestBound));
            SystemCalls.SetMalloc(SystemCalls.MostMaps, ofAnySize && most / 32 >= LargestBound ? 0 : CustomaryMaps);
            SystemCalls.SetMalloc(SystemCalls.TrimThreshold, most);
            // Heaps of threads other than the first are taken apart when they are empty, unless this is more than a heap holds.
            SystemCalls.SetMalloc(SystemCalls.TopPad, 65 << 20);
        }

        return new Keeping(counts: true);
    }

    private static void Release()
    {
        lock (s_gate)
        {
            if (--s_users > 0) return;
            // What malloc begins with, but for its habit of raising the threshold by itself, which ends with the first setting.
            SystemCalls.SetMalloc(SystemCalls.MostMaps, CustomaryMaps);
            SystemCalls.SetMalloc(SystemCalls.MapThreshold, 128 << 10);
            SystemCalls.SetMalloc(SystemCalls.TrimThreshold, 128 << 10);
            SystemCalls.SetMalloc(SystemCalls.TopPad, 128 << 10);
            _ = SystemCalls.TrimHeap(0);
        }
    }

    private static bool HasMallopt() =>
        NativeLibrary.TryLoad("libc.so.6", out var library) && NativeLibrary.TryGetExport(library, "mallopt", out _);

    private sealed class Keeping(bool counts) : IDisposable
    {
        private int _counts = counts ? 1 : 0;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _counts, 0) == 1) Release();
        }
    }
}

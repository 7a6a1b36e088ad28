using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static StableTune.LibTorch.torch;

namespace StableTune.LibTorch;

/// <summary>Memory of the process.</summary>
/// <param name="ResidentBytes">What is in main memory now.</param>
/// <param name="PeakResidentBytes">The most that was in main memory since the start.</param>
/// <param name="ManagedBytes">The part that .NET's garbage collector manages; tensors are not in it.</param>
/// <param name="LiveTensors">Tensor objects that were not disposed.</param>
/// <param name="DeviceUsedBytes">What is in use on the first GPU, by all processes; 0 without a GPU.</param>
/// <param name="DeviceTotalBytes">What the first GPU has; 0 without a GPU.</param>
public sealed record MemoryFigures(
    long ResidentBytes, long PeakResidentBytes, long ManagedBytes, long LiveTensors, long DeviceUsedBytes, long DeviceTotalBytes);

public static unsafe partial class engine
{
    /// <summary>What the process uses now. Resident and peak come from the operating system, a GPU's from its driver.</summary>
    public static MemoryFigures memory()
    {
        var (resident, peak) = ReadProcessStatus();
        var (free, total) = cuda.is_available() ? cuda.mem_get_info() : (0, 0);
        return new(resident, peak, GC.GetTotalMemory(false), live_tensors, total - free, total);
    }

    private static (long Resident, long Peak) ReadProcessStatus()
    {
        const string status = "/proc/self/status";
        if (!File.Exists(status))
        {
            using var process = System.Diagnostics.Process.GetCurrentProcess();
            return (process.WorkingSet64, process.PeakWorkingSet64);
        }
        var lines = File.ReadAllLines(status);
        return (Kilobytes(lines, "VmRSS:"), Kilobytes(lines, "VmHWM:"));
    }

    /// <summary>A line reads like "VmRSS:     1234 kB".</summary>
    private static long Kilobytes(string[] lines, string key)
    {
        var line = lines.FirstOrDefault(line => line.StartsWith(key, StringComparison.Ordinal));
        return line is null ? 0 : long.Parse(line[key.Length..].Replace("kB", "", StringComparison.Ordinal).Trim(), CultureInfo.InvariantCulture) * 1024;
    }

    /// <summary>Makes a CPU tensor of memory that someone else owns, without a copy.</summary>
    /// <param name="data">Address of the first element; the memory must stay until <paramref name="release"/> is called.</param>
    /// <param name="shape">Sizes of all dimensions; the elements are contiguous.</param>
    /// <param name="dtype">Type of the elements.</param>
    /// <param name="release">Called once, on any thread, when no tensor refers to the memory any more; also when this call fails.</param>
    /// <exception cref="TorchException">libtorch refuses the shape or dtype.</exception>
    public static Tensor from_memory(nint data, long[] shape, ScalarType dtype, Action? release = null)
    {
        ArgumentNullException.ThrowIfNull(shape);
        var context = release is null ? 0 : GCHandle.ToIntPtr(GCHandle.Alloc(release));
        var callback = release is null ? 0 : (nint)(delegate* unmanaged[Cdecl]<nint, void>)&ReleaseMemory;
        fixed (long* sizes = shape)
        {
            if (Native.st_tensor_from_memory(data, sizes, shape.Length, (int)dtype, callback, context, out var tensor) == 0) return new(tensor);
            throw new TorchException("engine.from_memory", Native.LastError(), $"{dtype} [{string.Join(", ", shape)}]");
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void ReleaseMemory(nint context)
    {
        var handle = GCHandle.FromIntPtr(context);
        var release = (Action)handle.Target!;
        handle.Free();
        try
        {
            release();
        }
        catch (Exception e)
        {
            // There is no caller to tell: the last tensor may have gone anywhere, even on the finalizer's thread.
            Environment.FailFast("A release callback of engine.from_memory threw an exception.", e);
        }
    }
}

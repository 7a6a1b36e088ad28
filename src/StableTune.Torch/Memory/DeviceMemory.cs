using System.Diagnostics;
using System.Globalization;
using StableTune.Torch.Loading;

namespace StableTune.Torch;

/// <summary>What the system says about memory: of this process, of this machine, of a GPU.</summary>
public static class DeviceMemory
{
    /// <summary>
    /// Memory that can be had on a device now, bytes: of the CPU what the system can give without swapping, within the limit of a
    /// container; of a CUDA device what its driver says. Null where nobody says, as of a GPU that this thread has not used yet.
    /// </summary>
    /// <param name="device">The CPU, or the CUDA device that this thread works on.</param>
    public static long? Free(Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (device.type == DeviceType.CUDA) return CudaDriver.Memory()?.Free;
        if (device.type != DeviceType.CPU) return null;
        var limit = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes - Environment.WorkingSet;
        return Field("/proc/meminfo", "MemAvailable:") is { } available ? Math.Min(available, limit) : limit;
    }

    /// <summary>Memory of a CUDA device that is in use, by this process and others, bytes; null where nobody says.</summary>
    public static long? UsedOfGpu => CudaDriver.Memory() is { } memory ? memory.Total - memory.Free : null;

    /// <summary>The most memory that this process has had in RAM since it began, bytes. Pages of mapped files count once they were
    /// read.</summary>
    public static long PeakOfProcess
    {
        get
        {
            if (Field("/proc/self/status", "VmHWM:") is { } peak) return peak;
            using var process = Process.GetCurrentProcess();
            return process.PeakWorkingSet64;
        }
    }

    /// <summary>A figure in kB of a file of Linux, in bytes; null where there is none.</summary>
    private static long? Field(string file, string name)
    {
        if (!File.Exists(file)) return null;
        var line = File.ReadLines(file).FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal));
        return line is not null && long.TryParse(line[name.Length..].Trim().Split(' ')[0], CultureInfo.InvariantCulture, out var kilobytes)
            ? kilobytes * 1024 : null;
    }
}

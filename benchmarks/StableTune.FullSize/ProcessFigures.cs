using System.Diagnostics;

namespace StableTune.FullSize;

/// <summary>What the system says about this process.</summary>
internal static class ProcessFigures
{
    /// <summary>Since the process was started, the runtime's own start included.</summary>
    public static TimeSpan Age => DateTime.Now - Process.GetCurrentProcess().StartTime;

    public static double PeakGiB => Field("VmHWM:") / (1024.0 * 1024);

    public static double ResidentMiB => Field("VmRSS:") / 1024.0;

    private static long Field(string name) => long.Parse(
        File.ReadLines("/proc/self/status").First(l => l.StartsWith(name, StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1].Replace(name, "").Trim());
}

using System.Diagnostics;
using System.Globalization;

namespace StableTune.FullSize;

/// <summary>What the system says about this process.</summary>
internal static class ProcessFigures
{
    /// <summary>Since the process was started, the runtime's own start included.</summary>
    public static TimeSpan Age => DateTime.Now - Process.GetCurrentProcess().StartTime;

    public static double PeakGiB => Field("VmHWM:") / (1024.0 * 1024);

    public static double ResidentMiB => Field("VmRSS:") / 1024.0;

    /// <summary>A figure in kB, as in <c>VmHWM:    123 kB</c>; a tab follows the name, and blanks only where the figure is short.</summary>
    private static long Field(string name) => long.Parse(
        File.ReadLines("/proc/self/status").First(line => line.StartsWith(name, StringComparison.Ordinal))[name.Length..]
            .Trim().Split(' ')[0], CultureInfo.InvariantCulture);
}

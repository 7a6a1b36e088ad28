using System.ComponentModel;
using System.Diagnostics;

namespace StableTune.Torch.Loading;

/// <summary>The native libraries that the process has loaded.</summary>
internal static class LoadedLibraries
{
    /// <summary>The path of a loaded library whose file name begins like this; null when there is none.</summary>
    internal static string? Find(string nameBegins)
    {
        try
        {
            using var process = Process.GetCurrentProcess();
            return process.Modules.Cast<ProcessModule>().Select(module => module.FileName)
                .FirstOrDefault(path => Path.GetFileName(path).StartsWith(nameBegins, StringComparison.OrdinalIgnoreCase));
        }
        catch (Exception e) when (e is Win32Exception or InvalidOperationException or NotSupportedException or IOException)
        {
            return null;
        }
    }
}

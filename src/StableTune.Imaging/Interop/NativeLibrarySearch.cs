using System.Runtime.InteropServices;

namespace StableTune.Imaging;

/// <summary>Finds the shim: beside the assembly, in the folder STABLETUNE_NATIVE names, in the source tree's build output.</summary>
internal static class NativeLibrarySearch
{
    private const string Remedy = "Install OpenCV 4 and build the shim (bash src/StableTune.LibTorch/native/install-deps.sh, then dotnet build),"
        + " or name the folder that holds the file in the environment variable STABLETUNE_NATIVE.";

    /// <summary>Loads the library from the first place that has it.</summary>
    /// <param name="name">The name without prefix and suffix.</param>
    /// <exception cref="NativeLibraryException">No place has it, or what it depends on is missing.</exception>
    internal static nint Load(string name) => Load(name, [.. Places(FileName(name))]);

    internal static nint Load(string name, IReadOnlyList<string> places)
    {
        Exception? reason = null;
        string? broken = null;
        foreach (var place in places.Where(File.Exists))
        {
            try
            {
                return NativeLibrary.Load(place);
            }
            catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
            {
                (reason, broken) = (e, place);
            }
        }

        throw new NativeLibraryException(
            broken is null ? $"{FileName(name)} was not found. Looked at: {string.Join(", ", places)}. {Remedy}"
                : $"{broken} cannot be loaded: {reason!.Message.ReplaceLineEndings(" ")}. {Remedy}", reason);
    }

    internal static string FileName(string name)
        => OperatingSystem.IsWindows() ? $"{name}.dll" : OperatingSystem.IsMacOS() ? $"lib{name}.dylib" : $"lib{name}.so";

    internal static IEnumerable<string> Places(string file)
    {
        var beside = Path.GetDirectoryName(typeof(NativeLibrarySearch).Assembly.Location) is { Length: > 0 } folder ? folder : AppContext.BaseDirectory;
        var system = OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux";
        var runtime = $"{system}-{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}";
        yield return Path.Combine(beside, "runtimes", runtime, "native", file);
        yield return Path.Combine(beside, file);
        if (Environment.GetEnvironmentVariable("STABLETUNE_NATIVE") is { Length: > 0 } named) yield return Path.Combine(named, file);
        for (var up = beside; up is not null; up = Path.GetDirectoryName(up))
            if (File.Exists(Path.Combine(up, "StableTune.sln")))
                yield return Path.Combine(up, "src", "StableTune.Imaging", "obj", "native", file);
    }
}

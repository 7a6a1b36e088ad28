using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Loader;
using System.Runtime.Versioning;

namespace StableTune.Torch.Loading;

/// <summary>Steps in where the runtime could not load TorchSharp's native library on Linux.</summary>
internal static class TorchSharpResolver
{
    private const string Platform = "linux-x64";
    private static readonly Lock _oneAtATime = new();
    private static nint _loaded;

    /// <summary>Whether a patched copy stands in for the library of the package.</summary>
    internal static bool UsesPatchedCopy { get; private set; }

    /// <summary>Prepares the process for TorchSharp; runs before any other code of this assembly, and loads nothing native.</summary>
    [ModuleInitializer]
    [SuppressMessage("Usage", "CA2255",
        Justification = "A program may touch TorchSharp before it calls anything of ours, and a load that failed stays failed.")]
    internal static void Prepare()
    {
        if (!OperatingSystem.IsLinux() || NativeFiles.Platform != Platform) return;
        ProcessSettings.SleepSoon();
        ProcessSettings.AskForHugePages();
        ProcessSettings.MakeMklRepeatable();
        ProcessSettings.GiveBackMemoryOfMkl();
        ProcessSettings.KeepMorePrimitives();
        if (TorchSharpAssembly.Find() is not { } torchSharp) return;   // NativeBackend.Load says so: a module's initializer must not throw
        (AssemblyLoadContext.GetLoadContext(torchSharp) ?? AssemblyLoadContext.Default).ResolvingUnmanagedDll += Resolve;
    }

    /// <summary>Loads the library now where this class has anything to do with it, so that a failure comes with our message.</summary>
    /// <exception cref="NativeBackendException">It cannot be loaded.</exception>
    internal static void LoadNow()
    {
        if (OperatingSystem.IsLinux() && NativeFiles.Platform == Platform && LoadedLibraries.Find("libLibTorchSharp") is null)
        {
            LoadOnce();
        }
    }

    /// <summary>Called when the plain load has failed. What is thrown here reaches the user within TorchSharp's own message.</summary>
    [SupportedOSPlatform("linux")]
    private static nint Resolve(Assembly assembly, string name)
        => name is "LibTorchSharp" or "libLibTorchSharp" or "libLibTorchSharp.so" ? LoadOnce() : 0;

    [SupportedOSPlatform("linux")]
    private static nint LoadOnce()
    {
        lock (_oneAtATime)
        {
            return _loaded != 0 ? _loaded : _loaded = Load(NativeFiles.OfProcess(), PatchedTorchSharp.Places());
        }
    }

    /// <summary>Loads TorchSharp's library as it is or, where the system's libstdc++ is a little too old, a patched copy.</summary>
    /// <exception cref="NativeBackendException">Neither can be loaded.</exception>
    [SupportedOSPlatform("linux")]
    internal static nint Load(NativeFiles files, IEnumerable<string> places)
    {
        BackendChecks.CheckPresence(files);
        if (files.Find("LibTorchSharp") is not { } original) return 0;   // the program itself has loaded it from elsewhere
        try
        {
            return NativeLibrary.Load(original);
        }
        catch (DllNotFoundException e) when (LibStdCxx.MissingVersion(e.Message) is { } wanted)
        {
            var failures = new List<string>();
            if (wanted == LibStdCxx.Dispensable && LoadPatched(original, files, places, failures) is { } handle) return handle;
            throw LoadFailure.TooOld(original, wanted, LibStdCxx.OfSystem(), failures, e);
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            throw LoadFailure.Other(original, e);
        }
    }

    [SupportedOSPlatform("linux")]
    private static nint? LoadPatched(string original, NativeFiles files, IEnumerable<string> places, List<string> failures)
    {
        try
        {
            var copy = new PatchedTorchSharp(original);
            LoadNeeded(files);
            if (copy.Load(NativeLibrary.Load, places, failures) is not { } handle) return null;
            UsesPatchedCopy = true;
            return handle;
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException or DllNotFoundException)
        {
            failures.Add($"{original}: {e.Message}");
            return null;
        }
    }

    /// <summary>Loads what the library needs, in order, from where it stands: the copy lies elsewhere and would not find it.</summary>
    private static void LoadNeeded(NativeFiles files)
    {
        (string Library, bool IsRequired)[] needed =
            [("c10", true), ("c10_cuda", false), ("torch_cpu", true), ("torch_cuda", false), ("torch", true)];
        foreach (var (library, isRequired) in needed)
        {
            if (files.Find(library) is not { } path) continue;
            if (isRequired) NativeLibrary.Load(path);
            else NativeLibrary.TryLoad(path, out _);
        }
    }
}

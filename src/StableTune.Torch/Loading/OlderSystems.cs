using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Loader;
using TorchSharp;

namespace StableTune.Torch.Loading;

/// <summary>Lets TorchSharp's native library load on Linux systems whose libstdc++ is a little older than the one it was built with.</summary>
internal static class OlderSystems
{
    private const string Library = "libLibTorchSharp.so";
    private static readonly Lock _oneAtATime = new();
    private static nint _loaded;

    /// <summary>Watches for the load that fails; runs before any other code of this assembly.</summary>
#pragma warning disable CA2255 // TorchSharp may be touched before anything of ours is called, and a first load that fails is never tried again.
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void Watch()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64) return;
        var context = AssemblyLoadContext.GetLoadContext(typeof(torch).Assembly) ?? AssemblyLoadContext.Default;
        context.ResolvingUnmanagedDll += Resolve;
    }

    private static nint Resolve(Assembly assembly, string name)
    {
        if (name is not ("LibTorchSharp" or "libLibTorchSharp" or Library)) return 0;
        lock (_oneAtATime) return _loaded != 0 ? _loaded : _loaded = LoadPatchedCopy();
    }

    private static nint LoadPatchedCopy()
    {
        if (NativeFiles.Find(Library) is not { } original) return 0;
        var copy = Path.Combine(Path.GetTempPath(), $"stabletune-{Environment.UserName}-{Environment.ProcessId}-{Library}");
        File.WriteAllBytes(copy, VersionNeeds.Weaken(File.ReadAllBytes(original), "GLIBCXX_3.4.32"));
        foreach (var needed in new[] { "libc10.so", "libtorch_cpu.so", "libtorch.so" })
        {
            if (NativeFiles.Find(needed) is { } path) NativeLibrary.Load(path);
        }
        var handle = NativeLibrary.Load(copy);
        File.Delete(copy);
        return handle;
    }
}

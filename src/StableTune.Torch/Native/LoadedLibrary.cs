using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace StableTune.Torch;

/// <summary>Finds the libraries that TorchSharp has loaded, for the functions of <see cref="LibTorch"/> and
/// <see cref="LibTorchSharp"/>.</summary>
internal static class LoadedLibrary
{
    [ModuleInitializer]
    [SuppressMessage("Usage", "CA2255", Justification = "Native functions must be found before any of them is called, whoever is first.")]
    internal static void Install() => NativeLibrary.SetDllImportResolver(typeof(LoadedLibrary).Assembly, Resolve);

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? search) =>
        name is LibTorch.Library or LibTorchSharp.Library ? Handle(name) : 0;

    /// <summary>The library of this name; 0 when it is not to be found.</summary>
    internal static nint Handle(string name)
    {
        _ = get_num_threads();   // TorchSharp loads libtorch; its error says what is missing
        foreach (var file in Files(name))
        {
            // By its bare name first: that is the library in memory, wherever it was loaded from.
            if (NativeLibrary.TryLoad(file, out var handle)
                || NativeLibrary.TryLoad(file, typeof(LoadedLibrary).Assembly, null, out handle)) return handle;
        }

        return 0;
    }

    private static string[] Files(string name) =>
        OperatingSystem.IsWindows() ? [$"{name}.dll"]
        : OperatingSystem.IsMacOS() ? [$"lib{name}.dylib", $"@rpath/lib{name}.dylib"]
        : [$"lib{name}.so"];
}

using System.Runtime.InteropServices;

namespace StableTune.Torch.Loading;

/// <summary>Whether a program has exactly one native backend, and one that fits; each finding has a message of its own.</summary>
internal static class BackendChecks
{
    private const string CEntry = "torch_call_dispatcher";
    private static readonly string[] _platforms = ["linux-x64", "win-x64", "win-arm64", "osx-arm64"];

    /// <summary>TorchSharp has native libraries for a few systems only.</summary>
    internal static void CheckPlatform(string platform)
    {
        if (_platforms.Contains(platform)) return;
        throw new NativeBackendException($"TorchSharp has no native library for {platform}. "
            + $"Run the program on one of {string.Join(", ", _platforms)} (Linux with glibc, not musl).");
    }

    /// <summary>The managed TorchSharp must be the version that this library was built for, in its first two numbers.</summary>
    /// <param name="found">The version in use; null when no TorchSharp that fits can be loaded.</param>
    /// <param name="wanted">The version built for.</param>
    internal static void CheckTorchSharp(Version? found, Version wanted)
    {
        if (found is not null && (found.Major, found.Minor) == (wanted.Major, wanted.Minor)) return;
        var what = found is null ? "no TorchSharp of this version or later can be loaded" : $"{found.ToString(3)} is in use";
        throw new NativeBackendException($"TorchSharp {wanted.ToString(3)} is wanted, and {what}. "
            + $"Reference that version: `dotnet add package TorchSharp --version {wanted.ToString(3)}`, "
            + "and the same version of TorchSharp-cpu, TorchSharp-cuda-windows or TorchSharp-cuda-linux where the project names one.");
    }

    /// <summary>Libtorch must be there, and TorchSharp's own native library beside it.</summary>
    internal static void CheckPresence(NativeFiles files)
    {
        foreach (var library in new[] { "LibTorchSharp", "torch_cpu" })
        {
            if (files.Find(library) is not null || LoadedLibraries.Find(NativeFiles.FileName(library)) is not null) continue;
            var cuda = BackendPackages.Cuda is { } package ? $", or `dotnet add package {package}` for NVIDIA GPUs" : "";
            throw new NativeBackendException($"No native backend is in the output: {NativeFiles.FileName(library)} is not in "
                + $"{string.Join(" or ", files.Folders)}. Add one to the program's project: "
                + $"`{BackendPackages.AddCpu}` for the processor{cuda}; then build again.");
        }
    }

    /// <summary>There must be one libtorch, not one for the processor and one with CUDA.</summary>
    /// <param name="files">Where the native libraries lie.</param>
    /// <param name="packages">The names of the packages that the program was built with.</param>
    internal static void CheckOnlyOne(NativeFiles files, IReadOnlyCollection<string> packages)
    {
        var cpu = packages.FirstOrDefault(name => name.StartsWith("libtorch-cpu", StringComparison.OrdinalIgnoreCase));
        var cuda = packages.FirstOrDefault(name => name.StartsWith("libtorch-cuda", StringComparison.OrdinalIgnoreCase));
        if (cpu is not null && cuda is not null) throw Two($"the packages {cpu} and {cuda}");

        // A copy of the same file in two folders does no harm.
        var different = files.FindAll("torch_cpu").DistinctBy(path => new FileInfo(path).Length).ToList();
        if (different.Count > 1) throw Two($"{different[0]} and {different[1]}");
    }

    /// <summary>Libtorch must have the C interface by which operators are called: version 2.10 and later have it.</summary>
    /// <param name="libtorch">The library; it is loaded, TorchSharp's is not.</param>
    internal static void CheckInterface(string libtorch)
    {
        try
        {
            if (NativeLibrary.TryGetExport(NativeLibrary.Load(libtorch), CEntry, out _)) return;
        }
        catch (DllNotFoundException e) when (LibStdCxx.MissingVersion(e.Message) is { } wanted)
        {
            throw LoadFailure.TooOld(libtorch, wanted, LibStdCxx.OfSystem(), [], e);
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            throw LoadFailure.Other(libtorch, e);
        }
        throw new NativeBackendException($"{libtorch} lacks the C interface ({CEntry}): it is no libtorch of version 2.10 or later. "
            + $"Use the one of TorchSharp {TorchSharpAssembly.BuiltFor.ToString(3)}: `{BackendPackages.AddCpu}`; "
            + "remove other copies of libtorch.");
    }

    private static NativeBackendException Two(string which) => new($"Two native backends are in the output: {which}. "
        + "Keep one of the packages StableTune, StableTune.Cuda.Windows and StableTune.Cuda.Linux "
        + "(and of TorchSharp-cpu and TorchSharp-cuda-*), remove the other with `dotnet remove package`, "
        + "delete the folders bin and obj, and build again.");
}

using System.Reflection;
using System.Runtime.InteropServices;

namespace StableTune.LibTorch;

/// <summary>Finds and loads the shim, and through it libtorch; every failure becomes a message with a remedy.</summary>
internal static class LibraryLoader
{
    /// <summary>A folder that holds the shim, or the shim's path.</summary>
    internal const string ShimVariable = "STABLETUNE_NATIVE";

    /// <summary>A folder with libtorch's <c>lib/</c>: pip's <c>torch</c> folder or an unpacked libtorch.</summary>
    internal const string LibTorchVariable = "STABLETUNE_LIBTORCH";

    internal const string FileName = "libstabletune_torch.so";
    private const int Contract = 1;
    private static readonly Lock s_gate = new();
    private static nint s_library;

    internal static nint Resolve(string name, Assembly assembly, DllImportSearchPath? search)
    {
        if (name != Native.Library) return 0;
        lock (s_gate)
        {
            if (s_library == 0) s_library = Load(Candidates(AppContext.BaseDirectory, assembly.Location, Environment.GetEnvironmentVariable),
                Environment.GetEnvironmentVariable(LibTorchVariable));
            return s_library;
        }
    }

    /// <summary>Where the shim may be, in the order in which it is looked for.</summary>
    internal static IReadOnlyList<string> Candidates(string baseFolder, string assemblyPath, Func<string, string?> environment)
    {
        var candidates = new List<string>();
        void Beside(string? folder)
        {
            if (string.IsNullOrEmpty(folder)) return;
            candidates.Add(Path.Combine(folder, "runtimes", RuntimeInformation.RuntimeIdentifier, "native", FileName));
            candidates.Add(Path.Combine(folder, "runtimes", PortableRid, "native", FileName));
            candidates.Add(Path.Combine(folder, FileName));
        }
        Beside(Path.GetDirectoryName(assemblyPath));
        Beside(baseFolder);
        if (environment(ShimVariable) is { Length: > 0 } given)
        {
            candidates.Add(given.EndsWith(".so", StringComparison.Ordinal) ? given : Path.Combine(given, FileName));
        }
        if (BuildOutput(baseFolder) is { } built) candidates.Add(built);
        return candidates.Distinct().ToList();
    }

    private static string PortableRid => "linux-" + RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();

    /// <summary>The shim in the build folder of a source tree that the program runs from.</summary>
    private static string? BuildOutput(string baseFolder)
    {
        for (var folder = new DirectoryInfo(baseFolder); folder is not null; folder = folder.Parent)
        {
            var project = Path.Combine(folder.FullName, "src", "StableTune.LibTorch");
            if (Directory.Exists(project)) return Path.Combine(project, "obj", "native", FileName);
        }
        return null;
    }

    /// <summary>Loads the first candidate that exists.</summary>
    /// <exception cref="LibTorchNotFoundException">None exists, the loader refuses it, or versions do not fit.</exception>
    internal static nint Load(IReadOnlyList<string> candidates, string? libtorchFolder)
    {
        var path = candidates.FirstOrDefault(File.Exists) ?? throw new LibTorchNotFoundException(LoadErrors.ShimMissing(candidates));
        ProcessDefaults.BeforeLoading();
        var preload = libtorchFolder is { Length: > 0 } ? PreloadLibTorch(libtorchFolder) : null;
        try
        {
            var library = NativeLibrary.Load(path);
            CheckFit(library, path);
            ProcessDefaults.AfterLoading(library);
            return library;
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            throw new LibTorchNotFoundException(LoadErrors.Refused(path, preload ?? e.Message));
        }
    }

    /// <summary>Loads a libtorch of the user's own first, so that the shim finds it in memory instead of in the system.</summary>
    /// <returns>Why one of its libraries was refused, or null.</returns>
    private static string? PreloadLibTorch(string folder)
    {
        var libraries = Path.Combine(folder, "lib");
        foreach (var name in (string[])["libc10.so", "libtorch_cpu.so", "libc10_cuda.so", "libtorch_cuda.so", "libtorch.so"])
        {
            var file = Path.Combine(libraries, name);
            var optional = name.Contains("cuda", StringComparison.Ordinal);
            if (optional && !File.Exists(file)) continue;
            try
            {
                NativeLibrary.Load(file);
            }
            catch (DllNotFoundException e)
            {
                if (!optional) return $"{LibTorchVariable} is \"{folder}\", but {file} cannot be loaded: {e.Message}";
            }
        }
        return null;
    }

    private static unsafe void CheckFit(nint library, string path)
    {
        if (!NativeLibrary.TryGetExport(library, "st_contract", out var contract))
            throw new LibTorchNotFoundException(LoadErrors.WrongContract(path, Contract, null));
        var found = ((delegate* unmanaged[Cdecl]<int>)contract)();
        if (found != Contract) throw new LibTorchNotFoundException(LoadErrors.WrongContract(path, Contract, found));

        string Read(string export) => Native.Text(((delegate* unmanaged[Cdecl]<nint>)NativeLibrary.GetExport(library, export))());
        var wanted = Read("st_compiled_version");
        var loaded = LoadErrors.VersionOf(Read("st_configuration"));
        if (loaded is not null && !LoadErrors.Fits(wanted, loaded))
            throw new LibTorchNotFoundException(LoadErrors.WrongVersion(path, wanted, loaded, Read("st_library_path")));
    }
}

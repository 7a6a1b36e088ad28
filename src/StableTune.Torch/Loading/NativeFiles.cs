using System.Runtime.InteropServices;

namespace StableTune.Torch.Loading;

/// <summary>Where the native libraries of TorchSharp and libtorch lie.</summary>
/// <param name="Folders">The program's own folders in which the runtime looks for native libraries, the likeliest first.</param>
/// <param name="SystemFolders">Folders that the environment names, such as those in <c>LD_LIBRARY_PATH</c>.</param>
internal sealed record NativeFiles(IReadOnlyList<string> Folders, IReadOnlyList<string> SystemFolders)
{
    /// <summary>The folders of this process.</summary>
    internal static NativeFiles OfProcess()
    {
        string?[] roots = [AppContext.BaseDirectory, Path.GetDirectoryName(TorchSharpAssembly.Find()?.Location)];
        var usual = roots.OfType<string>().Where(root => root.Length > 0)
            .SelectMany(root => new[] { Path.Combine(root, "runtimes", Platform, "native"), root });
        var environment = OperatingSystem.IsWindows() ? "PATH" : OperatingSystem.IsMacOS() ? "DYLD_LIBRARY_PATH" : "LD_LIBRARY_PATH";
        return new NativeFiles(
            Existing(Split(AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string).Concat(usual)),
            Existing(Split(Environment.GetEnvironmentVariable(environment))));
    }

    /// <summary>Operating system and architecture as NuGet spells them: <c>linux-x64</c>, <c>win-arm64</c>, ...</summary>
    internal static string Platform { get; } =
        (OperatingSystem.IsWindows() ? "win-" : OperatingSystem.IsMacOS() ? "osx-" : IsMusl ? "linux-musl-" : "linux-")
        + RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();

    /// <summary>A library's file name on this system: <c>torch_cpu</c> becomes <c>libtorch_cpu.so</c> on Linux.</summary>
    internal static string FileName(string library)
        => OperatingSystem.IsWindows() ? $"{library}.dll" : OperatingSystem.IsMacOS() ? $"lib{library}.dylib" : $"lib{library}.so";

    /// <summary>The path of a library in the first folder that has it; null when none has.</summary>
    internal string? Find(string library) => FindAll(library).Concat(In(SystemFolders, library)).FirstOrDefault();

    /// <summary>The paths of a library in all the program's own folders.</summary>
    internal IEnumerable<string> FindAll(string library) => In(Folders, library);

    private static bool IsMusl => RuntimeInformation.RuntimeIdentifier.Contains("musl", StringComparison.Ordinal);

    private static IEnumerable<string> In(IEnumerable<string> folders, string library)
        => folders.Select(folder => Path.Combine(folder, FileName(library))).Where(File.Exists);

    private static string[] Split(string? folders) => (folders ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);

    private static string[] Existing(IEnumerable<string> folders)
        => [.. folders.Where(Path.IsPathRooted).Select(Path.TrimEndingDirectorySeparator).Distinct().Where(Directory.Exists)];
}

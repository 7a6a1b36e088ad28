namespace StableTune.Torch.Loading;

/// <summary>Where the native libraries of TorchSharp and libtorch lie.</summary>
internal static class NativeFiles
{
    /// <summary>The folders that the runtime searches for native libraries, the likeliest first.</summary>
    internal static IReadOnlyList<string> Folders()
    {
        var known = AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? "";
        var named = known.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        string[] usual = [Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native"), AppContext.BaseDirectory];
        return [.. named.Concat(usual).Select(Path.TrimEndingDirectorySeparator).Distinct().Where(Directory.Exists)];
    }

    /// <summary>The path of a library in the first folder that has it, or null.</summary>
    internal static string? Find(string file) => Folders().Select(folder => Path.Combine(folder, file)).FirstOrDefault(File.Exists);
}

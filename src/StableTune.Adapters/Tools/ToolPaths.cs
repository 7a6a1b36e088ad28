namespace StableTune.Adapters;

/// <summary>What can be wrong with the paths that tools are given, before any work starts.</summary>
internal static class ToolPaths
{
    /// <summary>Problems of an output file beside its inputs.</summary>
    /// <param name="output">The file to write.</param>
    /// <param name="inputs">The files that are read.</param>
    /// <param name="overwrite">Whether what stands there may be replaced.</param>
    public static IEnumerable<OptionProblem> OutputProblems(string output, IEnumerable<string> inputs, bool overwrite)
    {
        if (!AdapterFiles.Extensions.Contains(Path.GetExtension(output), StringComparer.OrdinalIgnoreCase) && !Directory.Exists(output))
            yield return new("output", output, "adapters are saved as " + string.Join(", ", AdapterFiles.Extensions),
                "end the path with .safetensors");
        else if (!AtomicFile.CanWrite(output, out var reason))
            yield return new("output", output, reason, "name a file in a folder that can be written to");
        else if (inputs.Any(input => IsSame(input, output)))
            yield return new("output", output, "this is one of the inputs", "give another path");
        else if (File.Exists(output) && !overwrite)
            yield return new("output", output, "there is such a file already", "give another path, or set Overwrite");
    }

    /// <summary>Problems of a list of adapters.</summary>
    public static IEnumerable<OptionProblem> InputProblems(IReadOnlyList<WeightedAdapter> adapters)
    {
        if (adapters.Count == 0) yield return new("adapters", null, "there must be at least one adapter file", "name the files to merge");
        foreach (var adapter in adapters)
        {
            if (string.IsNullOrWhiteSpace(adapter.Path)) yield return new("adapters", adapter.Path, "this names no file", "give a path");
            if (!double.IsFinite(adapter.Ratio))
                yield return new(
                    "WeightedAdapter.Ratio", adapter.Ratio, "the ratio must be a finite number", "use 1 for the whole adapter");
            if (adapter.BlockWeights?.Any(weight => !double.IsFinite(weight)) == true)
                yield return new("WeightedAdapter.BlockWeights", string.Join(", ", adapter.BlockWeights),
                    "the weights must be finite numbers", "use 1 for blocks that are taken whole");
        }
    }

    /// <summary>Whether two paths name the same file or folder.</summary>
    public static bool IsSame(string one, string other) => one.Length > 0 && other.Length > 0 && string.Equals(
        Full(one), Full(other), OperatingSystem.IsWindows() ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal);

    private static string Full(string path) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
}

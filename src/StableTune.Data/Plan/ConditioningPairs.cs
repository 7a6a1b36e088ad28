namespace StableTune.Data;

/// <summary>Finds the second image of each image by its name without extension.</summary>
internal static class ConditioningPairs
{
    private const int Shown = 5;

    /// <summary>The items with their second images.</summary>
    /// <param name="items">The images of one subset.</param>
    /// <param name="folder">The folder of the second images.</param>
    /// <param name="extensions">The extensions that are taken, in lower case.</param>
    /// <param name="problems">Receives images without one, and second images without image, each kind in one problem.</param>
    internal static List<DatasetItem> Find(
        List<DatasetItem> items, string folder, IReadOnlyList<string> extensions, List<OptionProblem> problems)
    {
        const string option = "SubsetOptions.ConditioningFolder";
        // Of two with the same name the first in the order of names is taken, as in the reference.
        var second = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var path in ImageFiles.In(folder, extensions)) second.TryAdd(Path.GetFileNameWithoutExtension(path), path);
        var used = new HashSet<string>(StringComparer.Ordinal);
        var paired = items.ConvertAll(item => item.ConditioningPath is not null ? item : item with { ConditioningPath = Of(item) });
        var missing = paired.Where(item => item.ConditioningPath is null).Select(item => item.Path).ToList();
        if (missing.Count > 0)
            problems.Add(new(option, folder, $"{missing.Count} image(s) have no image of the same name in it: {string.Join(", ", missing)}",
                "add them, or take the images out"));
        var extra = second.Where(entry => !used.Contains(entry.Key)).Select(entry => entry.Value).ToList();
        if (extra.Count > 0)
            problems.Add(new(option, folder, $"{extra.Count} image(s) in it belong to no image: {List(extra)}",
                "take them out, or add the images they belong to"));
        return paired;

        string? Of(DatasetItem item)
        {
            var stem = Path.GetFileNameWithoutExtension(item.Path);
            used.Add(stem);
            return second.GetValueOrDefault(stem);
        }
    }

    private static string List(List<string> paths) => string.Join(", ", paths.Take(Shown)) + (paths.Count > Shown ? " ..." : "");
}

namespace StableTune.Hub;

/// <summary>What a name means among the files of a commit: one file, a folder, or the whole; and what is to be chosen there.</summary>
/// <param name="Root">The folder, "" or with '/' at its end: what the selection sees as its top.</param>
/// <param name="File">The file that was named; null for folders.</param>
/// <param name="Selection">What is wanted below the folder.</param>
internal sealed record HubTarget(string Root, string? File, HubSelection Selection)
{
    /// <summary>Finds what a name means; null when no file fits it.</summary>
    /// <param name="name">The name.</param>
    /// <param name="paths">All files of the commit, as far as they are known.</param>
    /// <param name="selection">What is wanted of folders.</param>
    /// <param name="knownAbsent">Whether a file is known not to exist in this commit.</param>
    public static HubTarget? Of(HubName name, IReadOnlyList<string> paths, HubSelection selection, Func<string, bool> knownAbsent)
    {
        if (name.Path is null) return paths.Count == 0 ? null : new HubTarget("", null, selection);
        if (paths.Contains(name.Path)) return new HubTarget("", name.Path, new SingleFile(name.Path, knownAbsent));
        var folder = name.Path + "/";
        return paths.Any(path => path.StartsWith(folder, StringComparison.Ordinal)) ? new HubTarget(folder, null, selection) : null;
    }

    /// <summary>The path of a file in the repository that must be read before anything can be chosen; null for none.</summary>
    public string? FirstFile => Selection.FirstFile is { } first ? Root + first : null;

    /// <summary>The paths that the selection chooses, in the repository.</summary>
    public IReadOnlyList<string> Choose(IReadOnlyList<string> paths, string? first) =>
        Selection.Choose(Inside(paths), first).Select(path => Root + path).ToArray();

    public CachedState Judge(IReadOnlyList<string> paths, string? first) => Selection.Judge(Inside(paths), first);

    /// <summary>The folder or file on disk.</summary>
    public string PlaceIn(string snapshot) =>
        File is not null ? HubPath.Below(snapshot, File) : Root.Length == 0 ? snapshot : HubPath.Below(snapshot, Root.TrimEnd('/'));

    private IReadOnlyList<string> Inside(IReadOnlyList<string> paths) =>
        Root.Length == 0 ? paths : paths.Where(path => path.StartsWith(Root, StringComparison.Ordinal))
            .Select(path => path[Root.Length..]).ToArray();
}

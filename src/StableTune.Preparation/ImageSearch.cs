using StableTune.Data;

namespace StableTune.Preparation;

/// <summary>The images of a folder and, where that is wanted, of the folders inside.</summary>
/// <param name="Images">Where they are, and what paths as keys call them.</param>
/// <param name="LeftOut">Folders inside that could not be searched, and why.</param>
internal sealed record ImageSearch(IReadOnlyList<(string Path, string Key)> Images, IReadOnlyList<SkippedFile> LeftOut)
{
    /// <summary>
    /// The key of an image in a metadata file whose keys do not begin with the folder: the path from there on, or the bare name.
    /// </summary>
    internal static string ShortKey(string root, string path)
    {
        var inside = Path.GetRelativePath(root, path).Replace('\\', '/');
        return inside.Contains('/', StringComparison.Ordinal) ? inside : Path.GetFileNameWithoutExtension(path);
    }

    /// <summary>What lies directly inside a folder.</summary>
    internal delegate (string[] Images, string[] Folders) Lister(string folder);

    /// <summary>Searches a folder. Links to folders are followed, but not to those that they lie in.</summary>
    /// <param name="root">The folder, which keys begin with as it is given.</param>
    /// <param name="recursive">Whether folders inside are searched too.</param>
    /// <param name="list">What lies directly inside a folder; null asks the file system.</param>
    /// <exception cref="InvalidFileException">The folder itself cannot be listed.</exception>
    internal static ImageSearch In(string root, bool recursive, Lister? list = null)
    {
        var (found, leftOut) = (new List<(string Folder, string[] Images)>(), new List<SkippedFile>());
        list ??= recursive ? folder => (ImageFiles.In(folder), [.. FolderFiles.FoldersIn(folder)]) : folder => (ImageFiles.In(folder), []);
        try
        {
            Look(root, Real(Path.GetFullPath(root)), []);
        }
        catch (Exception e) when (FileProblems.IsAboutFiles(e))
        {
            throw new InvalidFileException(root, $"the folder cannot be listed: {FileProblems.Reason(e)}.", "Check that it may be read.",
                e);
        }

        return new(
            [.. from folder in found.OrderBy(folder => folder.Folder != root).ThenBy(folder => folder.Folder, StringComparer.Ordinal)
                from path in folder.Images
                select (path, $"{root.TrimEnd('/', '\\')}/{Path.GetRelativePath(root, path).Replace('\\', '/')}")],
            [.. leftOut.OrderBy(folder => folder.Path, StringComparer.Ordinal)]);

        void Look(string folder, string real, HashSet<string> above)
        {
            var (images, inside) = list(folder);
            found.Add((folder, images));
            above.Add(real);
            foreach (var next in inside)
            {
                try
                {
                    var place = Real(Path.Combine(real, Path.GetFileName(next)));
                    if (above.Contains(place)) leftOut.Add(new(next, $"it is a link to {place}, which it lies in"));
                    else Look(next, place, above);
                }
                catch (Exception e) when (FileProblems.IsAboutFiles(e))
                {
                    leftOut.Add(new(next, $"the folder cannot be listed: {FileProblems.Reason(e)}"));
                }
            }

            above.Remove(real);
        }
    }

    /// <summary>A path without links, so that every folder has one.</summary>
    private static string Real(string path)
    {
        if (Path.GetDirectoryName(path) is not { } parent) return path;
        var own = Path.Combine(Real(parent), Path.GetFileName(path));
        return Directory.ResolveLinkTarget(own, returnFinalTarget: true) is { } target ? Real(target.FullName) : own;
    }
}

namespace StableTune.Data;

/// <summary>What lies in a folder for somebody to use: not what systems and programs leave behind for themselves.</summary>
internal static class FolderFiles
{
    /// <summary>Folders that a system or a program keeps beside pictures, with small copies of them inside.</summary>
    private static readonly string[] s_foldersOfNobody = ["__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"];

    /// <summary>
    /// The files directly inside the folder, by ordinal name so that every machine sees the same order. Names with a leading dot are passed
    /// over.
    /// </summary>
    /// <param name="folder">The folder.</param>
    /// <param name="pattern">Which names; all unless given.</param>
    internal static IEnumerable<string> In(string folder, string pattern = "*") =>
        Directory.EnumerateFiles(folder, pattern).Where(path => !IsHidden(path)).Order(StringComparer.Ordinal);

    /// <summary>The folders directly inside it, likewise.</summary>
    internal static IEnumerable<string> FoldersIn(string folder) => Directory.EnumerateDirectories(folder)
        .Where(path => !IsHidden(path) && !s_foldersOfNobody.Contains(Path.GetFileName(path), StringComparer.OrdinalIgnoreCase))
            .Order(StringComparer.Ordinal);

    // ._frog.png is what a Mac notes of frog.png on foreign disks; .ipynb_checkpoints holds copies of what a notebook had open.
    private static bool IsHidden(string path) => Path.GetFileName(path.AsSpan()).StartsWith(".", StringComparison.Ordinal);
}

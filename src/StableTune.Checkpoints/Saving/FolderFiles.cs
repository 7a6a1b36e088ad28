namespace StableTune.Checkpoints;

/// <summary>Copies the files of a part as they are.</summary>
internal static class FolderFiles
{
    /// <summary>Copies all files of a folder and below; links are followed, as the cache of a hub consists of them.</summary>
    public static void Copy(string source, string target)
    {
        Directory.CreateDirectory(target);
        foreach (var file in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(target, Path.GetRelativePath(source, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            using var from = File.OpenRead(file);
            AtomicFile.Write(copy, from.CopyTo);
        }
    }
}

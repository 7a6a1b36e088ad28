namespace StableTune.Hub;

/// <summary>A file of a snapshot: a relative link to its blob, so that the cache can be moved; where links are impossible, the file
/// itself.</summary>
internal static class SnapshotFile
{
    /// <summary>The bytes of a file, behind links; null when it is not there, or a link leads nowhere.</summary>
    public static long? Length(string path)
    {
        var file = new FileInfo(path);
        if (file.LinkTarget is not null)
        {
            try
            {
                file = new FileInfo(file.ResolveLinkTarget(returnFinalTarget: true)!.FullName);
            }
            catch (IOException)
            {
                return null;   // links in a circle
            }
        }

        return file.Exists ? file.Length : null;
    }

    /// <summary>Puts a blob in its place in a snapshot. What stood there is replaced in one step.</summary>
    /// <param name="blob">The blob.</param>
    /// <param name="path">The file of the snapshot.</param>
    /// <param name="isNew">
    /// Whether the blob has just been downloaded: where links are impossible it is then moved, since a second copy of a model is dear,
    /// and copied otherwise,
    /// since other snapshots may need it. Other programs for the hub do the same.
    /// </param>
    /// <param name="links">Whether links may be tried.</param>
    public static void Place(string blob, string path, bool isNew, bool links = true)
    {
        var folder = Path.GetDirectoryName(path)!;
        Directory.CreateDirectory(folder);
        var temporary = Path.Combine(folder, $".{Guid.NewGuid():N}.tmp");
        try
        {
            if (links && TryLink(temporary, Path.GetRelativePath(folder, blob))) File.Move(temporary, path, overwrite: true);
            else if (isNew) File.Move(blob, path, overwrite: true);
            else
            {
                File.Copy(blob, temporary);
                File.Move(temporary, path, overwrite: true);
            }
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    /// <summary>Whether the link was made. Windows allows links to some users only, and some file systems have none.</summary>
    private static bool TryLink(string path, string target)
    {
        try
        {
            File.CreateSymbolicLink(path, target);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or PlatformNotSupportedException)
        {
            return false;
        }
    }
}

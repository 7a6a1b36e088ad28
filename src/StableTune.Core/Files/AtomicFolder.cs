namespace StableTune;

/// <summary>Folders that are complete or absent, whatever happens while they are written.</summary>
public static class AtomicFolder
{
    private const string Unfinished = ".partial", Replaced = ".replaced";

    /// <summary>
    /// Lets <paramref name="write"/> fill the folder <c>&lt;path&gt;.partial</c>, then renames it to <paramref name="path"/>. When it
    /// throws, the unfinished folder is removed and what stood at the path stays as it was. An unfinished folder that a killed process left
    /// is removed first, and an exchange that it was killed in (the old folder is <c>&lt;path&gt;.replaced</c> then) is brought to its end.
    /// </summary>
    /// <param name="path">The folder. One that is there is replaced as a whole; what the new one lacks at its top level (a README, a
    /// repository's <c>.git</c>) is kept.</param>
    /// <param name="write">Writes the content into the folder it is given.</param>
    /// <exception cref="IOException">Something cannot be written, or a file stands at the path.</exception>
    /// <exception cref="UnauthorizedAccessException">The place is not writable.</exception>
    public static void Write(string path, Action<string> write)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(write);
        var full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (File.Exists(full)) throw new IOException($"{path}: a file stands where the folder shall be. Remove it, or give another path.");
        var partial = full + Unfinished;
        try
        {
            Remove(partial);
            FinishExchange(full);
            Directory.CreateDirectory(partial);
            write(partial);
            Exchange(partial, full);
        }
        catch
        {
            Discard(partial);
            throw;
        }
    }

    private static void Exchange(string partial, string full)
    {
        var old = full + Replaced;
        if (!Directory.Exists(full))
        {
            Directory.Move(partial, full);
            return;
        }

        Directory.Move(full, old);
        try
        {
            Directory.Move(partial, full);
        }
        catch
        {
            Directory.Move(old, full);
            throw;
        }

        Keep(old, full);
        Discard(old);
    }

    // Killed before the new folder had its name, the old one gets it back; killed after that, what the new one lacks has yet to follow.
    private static void FinishExchange(string full)
    {
        var old = full + Replaced;
        if (!Directory.Exists(old)) return;
        if (!Directory.Exists(full))
        {
            Directory.Move(old, full);
            return;
        }

        Keep(old, full);
        Remove(old);
    }

    private static void Keep(string old, string full)
    {
        foreach (var entry in Directory.EnumerateFileSystemEntries(old))
        {
            var kept = Path.Combine(full, Path.GetFileName(entry));
            if (Path.Exists(kept)) continue;
            if (Directory.Exists(entry)) Directory.Move(entry, kept);
            else File.Move(entry, kept);
        }
    }

    private static void Remove(string folder)
    {
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
    }

    /// <summary>Removes what is not wanted. That it cannot be removed is not worth hiding why it was given up.</summary>
    private static void Discard(string folder)
    {
        try
        {
            Remove(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }
}

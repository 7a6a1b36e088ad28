namespace StableTune.Hub;

/// <summary>The room left on the disk of a folder.</summary>
internal static class DiskSpace
{
    /// <summary>Bytes that may still be written; <see cref="long.MaxValue"/> where the system does not say.</summary>
    /// <param name="folder">The folder, which need not exist yet.</param>
    public static long Free(string folder)
    {
        var existing = Path.GetFullPath(folder);
        while (!Directory.Exists(existing) && Path.GetDirectoryName(existing) is { } parent) existing = parent;
        try
        {
            return new DriveInfo(existing).AvailableFreeSpace;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return long.MaxValue;   // network shares on Windows have no drive; the write itself will tell
        }
    }

    /// <summary>Whether writing failed because the disk is full.</summary>
    // ENOSPC, EDQUOT
    public static bool IsFull(IOException e) => OperatingSystem.IsWindows() ? (e.HResult & 0xFFFF) is 0x70 or 0x27 : e.HResult is 28 or 122;
}

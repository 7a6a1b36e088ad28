namespace StableTune.Torch.Loading;

/// <summary>A native library that is kept as a file for the next start and for other processes.</summary>
internal static class KeptLibrary
{
    /// <summary>The path of a file with exactly these bytes; writes it where it is missing or damaged.</summary>
    /// <param name="folder">A folder that only this user can write to.</param>
    /// <param name="name">The file's name, which must tell one content from another.</param>
    /// <param name="content">The library.</param>
    /// <exception cref="IOException">The file cannot be written, or reads back differently.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder cannot be written to.</exception>
    internal static string Keep(string folder, string name, byte[] content)
    {
        var path = Path.Combine(folder, name);
        if (Holds(path, content)) return path;
        // Renamed into place: another process sees nothing or all of it, and one that runs on the old file keeps it.
        AtomicFile.Write(path, stream => stream.Write(content));
        return Holds(path, content) ? path : throw new IOException($"{path} does not hold what was written to it");
    }

    private static bool Holds(string path, ReadOnlySpan<byte> content)
    {
        if (new FileInfo(path) is not { Exists: true, LinkTarget: null } file || file.Length != content.Length) return false;
        return File.ReadAllBytes(path).AsSpan().SequenceEqual(content);
    }
}

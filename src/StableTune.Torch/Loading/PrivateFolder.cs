using System.Runtime.Versioning;

namespace StableTune.Torch.Loading;

/// <summary>A folder in which no other user can put, replace or rename a file: the only kind that a library may be loaded from.</summary>
[SupportedOSPlatform("linux")]
internal static class PrivateFolder
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Creates the folder where it is missing, for its owner alone, and checks it and all folders above it.</summary>
    /// <param name="path">The folder; above it there may be links, it must not be one itself.</param>
    /// <param name="user">The user who must own the folder.</param>
    /// <returns>The folder's path with all links followed.</returns>
    /// <exception cref="IOException">The folder cannot be made, or another user could change what lies in it.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder cannot be made here.</exception>
    internal static string Open(string path, uint user)
    {
        var folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        Create(folder);
        var own = SystemCalls.StatusOf(folder);
        if (own is not { IsFolder: true }) throw new IOException($"{folder} is a link, not a folder");
        if (own.Value.Owner != user) throw new IOException($"{folder} belongs to another user ({own.Value.Owner})");
        if (File.GetUnixFileMode(folder) != OwnerOnly) File.SetUnixFileMode(folder, OwnerOnly);

        var real = SystemCalls.RealPath(folder) ?? throw new IOException($"{folder} has gone");
        for (var above = Path.GetDirectoryName(real); above is not null; above = Path.GetDirectoryName(above)) CheckAbove(above, user);
        return real;
    }

    private static void Create(string folder)
    {
        if (Directory.Exists(folder)) return;
        if (Path.GetDirectoryName(folder) is { } above) Create(above);
        Directory.CreateDirectory(folder, OwnerOnly);
    }

    /// <summary>Who may rename entries of a folder above ours could put another folder in its place.</summary>
    private static void CheckAbove(string folder, uint user)
    {
        var status = SystemCalls.StatusOf(folder) ?? throw new IOException($"{folder} cannot be looked at");
        if (status.Owner != 0 && status.Owner != user) throw new IOException($"{folder} belongs to another user ({status.Owner})");
        if (status is { IsWritableByOthers: true, IsSticky: false }) throw new IOException($"other users may change {folder}");
    }
}

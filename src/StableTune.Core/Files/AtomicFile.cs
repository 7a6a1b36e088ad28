namespace StableTune;

/// <summary>Files that are complete or absent, whatever happens while they are written.</summary>
public static class AtomicFile
{
    /// <summary>
    /// Writes to a temporary file in the same folder, flushes it to the disk, and renames it onto <paramref name="path"/>.
    /// When <paramref name="write"/> throws, the temporary file is removed and what stood at the path stays as it was.
    /// </summary>
    /// <param name="path">The file to write; its folder is created when missing.</param>
    /// <param name="write">Writes the content; the stream can seek.</param>
    /// <exception cref="IOException">The folder cannot be created or written to, or the disk is full.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder is not writable.</exception>
    public static void Write(string path, Action<FileStream> write)
    {
        var full = Path.GetFullPath(path);
        var folder = Path.GetDirectoryName(full)!;
        var temporary = Path.Combine(folder, $".{Guid.NewGuid():N}.tmp");   // no longer than names may be
        var isWriting = false;
        try
        {
            Directory.CreateDirectory(folder);
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 1 << 16))
            {
                isWriting = true;
                write(stream);
                stream.Flush(flushToDisk: true);
                isWriting = false;
            }

            File.Move(temporary, full, overwrite: true);
        }
        catch (IOException e) when (e.HResult is NoSpace or DiskFull or HandleDiskFull)
        {
            Discard(temporary);
            throw new IOException($"There is no space left on the disk for {full}. Free some, or give another path.", e);
        }
        catch (Exception e) when (!isWriting && e is (IOException or UnauthorizedAccessException))
        {
            Discard(temporary);
            var message = $"{full} cannot be written: {e.Message.TrimEnd('.')}. Check that no folder stands there, that it may be "
                + $"written to and that no other program holds it, or give another path.";
            throw e is UnauthorizedAccessException ? new UnauthorizedAccessException(message, e) : new IOException(message, e);
        }
        catch
        {
            Discard(temporary);
            throw;
        }
    }

    // ENOSPC on Unix; ERROR_DISK_FULL and ERROR_HANDLE_DISK_FULL on Windows.
    private const int NoSpace = 28, DiskFull = unchecked((int)0x80070070), HandleDiskFull = unchecked((int)0x80070027);

    /// <summary>Removes a temporary file. That it cannot be removed is not worth hiding why it was given up.</summary>
    private static void Discard(string temporary)
    {
        try
        {
            File.Delete(temporary);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }

    /// <summary>Writes text as UTF-8 without a byte order mark; see <see cref="Write"/>.</summary>
    public static void WriteText(string path, string text) => Write(path, stream =>
    {
        using var writer = new StreamWriter(stream, leaveOpen: true);
        writer.Write(text);
    });

    /// <summary>Whether a file could be written at the path: it names no folder, and its folder can be written into.</summary>
    /// <param name="path">The file; its folder is created when missing.</param>
    /// <param name="reason">Why not: lower case, without a full stop.</param>
    public static bool CanWrite(string path, out string reason)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (path.Trim().Length == 0 || path.Contains('\0', StringComparison.Ordinal)) reason = "this is no path of a file";
        else if (Directory.Exists(path) || Path.EndsInDirectorySeparator(path)) reason = "this is a folder";
        else if (CanWriteInto(Path.GetDirectoryName(Path.GetFullPath(path))!, out var words)) reason = "";
        else reason = $"the folder cannot be written to ({words.TrimEnd('.')})";
        return reason.Length == 0;
    }

    /// <summary>Whether a file could be written into the folder: tries it, and leaves nothing behind but the folder.</summary>
    /// <param name="folder">The folder; created when missing.</param>
    /// <param name="reason">Why not, in the system's words.</param>
    public static bool CanWriteInto(string folder, out string reason)
    {
        try
        {
            Directory.CreateDirectory(folder);
            var probe = Path.Combine(folder, $".{Guid.NewGuid():N}.tmp");
            using (File.Create(probe, 1, FileOptions.DeleteOnClose)) { }
            reason = "";
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            reason = e.Message;
            return false;
        }
    }
}

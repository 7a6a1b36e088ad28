using Microsoft.Win32.SafeHandles;

namespace StableTune.Formats;

/// <summary>Opening files and reading from a position, safe to call from several threads at once.</summary>
internal static class FileBytes
{
    /// <summary>The most bytes asked of the system at once; it reads 2 GB - 4 KB at most.</summary>
    private const int MaximumRead = 1 << 30;

    /// <summary>Opens a file for reading; what stands in the way is told with a remedy.</summary>
    /// <exception cref="InvalidFileException">There is no such file, it is a folder, is empty, or may not be read.</exception>
    public static FileStream Open(string path)
    {
        try
        {
            // Opening a pipe would wait for its other end, perhaps for ever; pipes and devices are told by having no length.
            if (LengthOf(path) == 0)
                throw new InvalidFileException(
                    path, "the file is empty, or it is no file but a pipe or a device.", "Name the file itself, or download it again.");
            // Others may read it, and may rename another file onto it, as atomic writing does.
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InvalidFileException(path, "the file does not exist.",
                "Check the path, which is relative to the current folder unless it is absolute.", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw Directory.Exists(path)
                ? new InvalidFileException(path, "this is a folder, not a file.", "Name the file in it.", e)
                : new InvalidFileException(path, "the file may not be read.", "Give the user of this process the right to read it.", e);
        }
    }

    private static long LengthOf(string path)
    {
        if (Directory.Exists(path)) throw new UnauthorizedAccessException();
        return (Target(path) ?? new FileInfo(path)).Length;
    }

    private static FileInfo? Target(string path)
    {
        try
        {
            return File.ResolveLinkTarget(path, returnFinalTarget: true) as FileInfo;
        }
        catch (IOException e) when (e is not (FileNotFoundException or DirectoryNotFoundException))
        {
            throw new InvalidFileException(path, "the link leads back to itself.", "Mend the link, or name the file itself.", e);
        }
    }

    /// <summary>Fills the destination from this offset of the file.</summary>
    /// <exception cref="InvalidFileException">The file ends before the destination is full.</exception>
    public static void Read(SafeFileHandle file, Span<byte> destination, long offset, string path)
    {
        var read = ReadUpTo(file, destination, offset);
        if (read < destination.Length)
            throw new InvalidFileException(path,
                $"the file ended at byte {offset + read}, where {destination.Length - read} more byte(s) were expected.",
                "Something shortened the file while it was being read: restore it and try again.");
    }

    /// <summary>Fills the destination as far as the file goes.</summary>
    /// <returns>The number of bytes read.</returns>
    public static int ReadUpTo(SafeFileHandle file, Span<byte> destination, long offset)
    {
        var done = 0;
        while (done < destination.Length)
        {
            var read = RandomAccess.Read(file, destination.Slice(done, Math.Min(MaximumRead, destination.Length - done)), offset + done);
            if (read == 0) break;
            done += read;
        }

        return done;
    }
}

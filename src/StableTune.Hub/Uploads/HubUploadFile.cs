using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace StableTune.Hub;

/// <summary>
/// A file that is to be uploaded: where it goes in the repository, and where its bytes come from. A file of this disk is opened at once and
/// kept open, so that what is uploaded later is what it held then, whether it is replaced or deleted meanwhile. (Not on Windows, where an
/// open file could not be replaced: there it is opened as it is uploaded.)
/// </summary>
public sealed class HubUploadFile : IDisposable
{
    private const int BufferBytes = 1 << 20;

    private readonly string? _file;
    private readonly SafeFileHandle? _handle;
    private readonly byte[] _bytes;

    private HubUploadFile(string path, string? file, byte[] bytes)
    {
        if (HubPath.Problem(path) is { } problem) throw new ArgumentException($"\"{path}\" is no path in a repository: {problem}.",
            nameof(path));
        (Path, _file, _bytes) = (path, file, bytes);
        if (file is null)
        {
            Size = bytes.Length;
            return;
        }

        var handle = Open();
        Size = RandomAccess.GetLength(handle);
        if (OperatingSystem.IsWindows()) handle.Dispose();
        else _handle = handle;
    }

    /// <summary>The path in the repository, with '/' between its pieces.</summary>
    public string Path { get; }

    /// <summary>The length in bytes.</summary>
    public long Size { get; }

    /// <summary>A file of this disk.</summary>
    /// <param name="path">The path in the repository, with '/' between its pieces.</param>
    /// <param name="file">The file.</param>
    /// <exception cref="ArgumentException">The path cannot be one in a repository.</exception>
    /// <exception cref="HubException">The file cannot be opened.</exception>
    public static HubUploadFile FromFile(string path, string file)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(file);
        return new HubUploadFile(path, System.IO.Path.GetFullPath(file), []);
    }

    /// <summary>A text, as UTF-8.</summary>
    /// <param name="path">The path in the repository, with '/' between its pieces.</param>
    /// <param name="text">The text.</param>
    /// <exception cref="ArgumentException">The path cannot be one in a repository.</exception>
    public static HubUploadFile FromText(string path, string text)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(text);
        return new HubUploadFile(path, null, Encoding.UTF8.GetBytes(text));
    }

    /// <summary>All files of a folder and of the folders in it.</summary>
    /// <param name="path">The folder in the repository; empty for its top.</param>
    /// <param name="folder">The folder of this disk.</param>
    /// <exception cref="ArgumentException">A path cannot be one in a repository.</exception>
    /// <exception cref="HubException">A file cannot be opened; none stays open then.</exception>
    public static IReadOnlyList<HubUploadFile> FromFolder(string path, string folder)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(folder);
        var files = new List<HubUploadFile>();
        try
        {
            foreach (var file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
            {
                var inside = System.IO.Path.GetRelativePath(folder, file).Replace(System.IO.Path.DirectorySeparatorChar, '/');
                files.Add(FromFile(path.Length == 0 ? inside : $"{path}/{inside}", file));
            }

            return files;
        }
        catch
        {
            files.ForEach(file => file.Dispose());
            throw;
        }
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _handle?.Dispose();

    /// <summary>The file with its folder in the repository before it.</summary>
    internal string In(HubName name) => name.Path is null ? Path : $"{name.Path}/{Path}";

    /// <summary>Hands out a stretch of the file in pieces whose length is a multiple of three, but for the last.</summary>
    /// <exception cref="HubException">The file cannot be read, or is shorter than it was.</exception>
    internal async Task CopyAsync(long from, long length, Func<ReadOnlyMemory<byte>, Task> take, CancellationToken cancellationToken)
    {
        var buffer = new byte[Math.Min(BufferBytes / 3 * 3, Math.Max(3, length))];
        using var opened = _file is null || _handle is not null ? null : Open();
        for (long done = 0; done < length;)
        {
            var wanted = (int)Math.Min(buffer.Length, length - done);
            await FillAsync(opened ?? _handle, buffer.AsMemory(0, wanted), from + done, cancellationToken).ConfigureAwait(false);
            await take(buffer.AsMemory(0, wanted)).ConfigureAwait(false);
            done += wanted;
        }
    }

    /// <summary>The first bytes, by which the hub tells text from other files.</summary>
    internal async Task<byte[]> BeginningAsync(int most, CancellationToken cancellationToken)
    {
        using var beginning = new MemoryStream();
        await CopyAsync(0, Math.Min(most, Size), bytes => beginning.WriteAsync(bytes, cancellationToken).AsTask(), cancellationToken)
            .ConfigureAwait(false);
        return beginning.ToArray();
    }

    /// <summary>The checksum by which the hub keeps large files.</summary>
    internal async Task<string> Sha256Async(CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await CopyAsync(0, Size, bytes =>
        {
            hash.AppendData(bytes.Span);
            return Task.CompletedTask;
        }, cancellationToken).ConfigureAwait(false);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private async Task FillAsync(SafeFileHandle? handle, Memory<byte> buffer, long from, CancellationToken cancellationToken)
    {
        if (handle is null)
        {
            _bytes.AsMemory((int)from, buffer.Length).CopyTo(buffer);
            return;
        }

        try
        {
            for (var done = 0; done < buffer.Length;)
            {
                var count = await RandomAccess.ReadAsync(handle, buffer[done..], from + done, cancellationToken).ConfigureAwait(false);
                if (count == 0) throw Unreadable("it became shorter while it was uploaded");
                done += count;
            }
        }
        catch (Exception e) when (e is (IOException or UnauthorizedAccessException) and not HubException)
        {
            throw Unreadable(e.Message.TrimEnd('.'), e);
        }
    }

    private SafeFileHandle Open()
    {
        try
        {
            return File.OpenHandle(_file!, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete,
                FileOptions.Asynchronous);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(e.Message.TrimEnd('.'), e);
        }
    }

    private HubException Unreadable(string reason, Exception? inner = null) => new(HubFault.FileUnreadable, _file!,
        $"The file cannot be uploaded as {Path}: {reason}.", "Check that the file is there and may be read.", inner);
}

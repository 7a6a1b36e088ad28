namespace StableTune.Hub;

/// <summary>
/// The right to write one file of the cache, held by one thread of one process at a time. The file is the one that other programs for the
/// hub lock,
/// and is left behind as they leave it: removing it would let two others in.
/// </summary>
internal sealed class BlobLock : IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private readonly FileStream _file;

    private BlobLock(FileStream file) => _file = file;

    /// <param name="path">The lock's file; its folder is created when missing.</param>
    /// <param name="clock">Spaces the attempts.</param>
    /// <param name="waiting">Called once when the lock is somebody else's.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task<BlobLock> AcquireAsync(string path, TimeProvider clock, Action waiting, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        for (var first = true; ; first = false)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                return new BlobLock(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1));
            }
            catch (IOException e) when (IsHeld(e))
            {
                if (first) waiting();
            }

            await Task.Delay(Pause, clock, cancellationToken).ConfigureAwait(false);
        }
    }

    public void Dispose() => _file.Dispose();

    /// <summary>The only failure worth waiting for; a folder that is gone or a full disk are not. Windows: sharing or lock violation;
    /// Unix: EWOULDBLOCK.</summary>
    private static bool IsHeld(IOException e) => OperatingSystem.IsWindows()
        ? (e.HResult & 0xFFFF) is 32 or 33
        : e.GetType() == typeof(IOException) && e.HResult is 11 or 35;
}

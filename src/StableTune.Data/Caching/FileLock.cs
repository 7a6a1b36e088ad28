using System.Security.Cryptography;
using System.Text;

namespace StableTune.Data;

/// <summary>Lets only one thread of all processes of this machine change a file at a time.</summary>
internal sealed class FileLock : IDisposable
{
    private readonly Mutex _mutex;

    private FileLock(Mutex mutex) => _mutex = mutex;

    /// <summary>Waits for the file. To be disposed by the same thread.</summary>
    internal static FileLock Take(string path)
    {
        var mutex = new Mutex(false, "StableTune."
            + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Path.GetFullPath(path))))[..32]);
        try
        {
            mutex.WaitOne();
        }
        catch (AbandonedMutexException)
        {
            // Its owner was killed. Files are replaced as wholes, so nothing is half done.
        }

        return new FileLock(mutex);
    }

    public void Dispose()
    {
        _mutex.ReleaseMutex();
        _mutex.Dispose();
    }
}

using System.Runtime.InteropServices;

namespace StableTune.Formats;

/// <summary>A tensor's bytes in a mapped file; the map stays in place until this lease is disposed.</summary>
public sealed class MappedTensor : IDisposable
{
    private readonly SafeBuffer _view;
    private int _released;

    internal MappedTensor(nint pointer, long byteCount, SafeBuffer view)
    {
        (Pointer, ByteCount, _view) = (pointer, byteCount, view);
        var added = false;
        view.DangerousAddRef(ref added);
    }

    /// <summary>The address of the first byte. The memory may be written to; the file does not change.</summary>
    public nint Pointer { get; }

    /// <summary>The number of bytes.</summary>
    public long ByteCount { get; }

    /// <summary>Gives the lease back; the memory must not be touched any more. May be called from any thread, and more than
    /// once.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _released, 1) == 0) _view.DangerousRelease();
    }
}

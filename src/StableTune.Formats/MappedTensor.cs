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

    /// <summary>A lease of its own on a part of the bytes; both must be given back.</summary>
    /// <param name="begin">The first byte, counted from this lease's first.</param>
    /// <param name="byteCount">The number of bytes.</param>
    /// <exception cref="ArgumentOutOfRangeException">The part reaches beyond these bytes.</exception>
    public MappedTensor Slice(long begin, long byteCount)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(begin);
        ArgumentOutOfRangeException.ThrowIfNegative(byteCount);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(begin, ByteCount);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(byteCount, ByteCount - begin);
        ObjectDisposedException.ThrowIf(_released != 0, this);
        return new MappedTensor(Pointer + (nint)begin, byteCount, _view);
    }

    /// <summary>Gives the lease back; the memory must not be touched any more. May be called from any thread, and more than
    /// once.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _released, 1) == 0) _view.DangerousRelease();
    }
}

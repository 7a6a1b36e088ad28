using System.Buffers;
using System.Runtime.InteropServices;

namespace StableTune.Imaging;

/// <summary>
/// Memory for decoded pixels. Some megabytes are borrowed from the shared pool, which keeps them for the next picture, as touching
/// fresh memory costs a
/// good part of decoding; more is taken from the system and given back at once.
/// </summary>
internal sealed unsafe class PictureMemory : IDisposable
{
    private const int MostPooled = 1 << 26;

    private readonly int _length;
    private byte[]? _pooled;
    private void* _native;

    private PictureMemory(int length)
    {
        _length = length;
        if (length <= MostPooled) _pooled = ArrayPool<byte>.Shared.Rent(length);
        else _native = NativeMemory.Alloc((nuint)length);
    }

    ~PictureMemory() => NativeMemory.Free(_native);

    /// <summary>The memory, until it is disposed; its content is anything.</summary>
    internal Span<byte> Bytes
    {
        get
        {
            ObjectDisposedException.ThrowIf(_pooled is null && _native is null, this);
            return _pooled is null ? new(_native, _length) : _pooled.AsSpan(0, _length);
        }
    }

    internal static PictureMemory Take(long length) => new(checked((int)length));

    public void Dispose()
    {
        if (_pooled is not null) ArrayPool<byte>.Shared.Return(_pooled);
        NativeMemory.Free(_native);
        _pooled = null;
        _native = null;
        GC.SuppressFinalize(this);
    }
}

using Microsoft.Win32.SafeHandles;

namespace StableTune.Imaging;

/// <summary>Positional reading for header parsers: from memory, or from a file by small windows, so that metadata is skipped and not
/// read.</summary>
internal sealed class ByteSource : IDisposable
{
    private readonly SafeFileHandle? _handle;
    private readonly ReadOnlyMemory<byte> _memory;
    private readonly byte[] _window = [];
    private long _windowStart;
    private int _windowLength;

    internal ByteSource(ReadOnlyMemory<byte> memory) => (_memory, Length) = (memory, memory.Length);

    internal ByteSource(string path)
    {
        _handle = File.OpenHandle(path);
        _window = new byte[1024];
        Length = RandomAccess.GetLength(_handle);
    }

    /// <summary>Bytes in all.</summary>
    internal long Length { get; }

    /// <summary>Fills the destination; false when the bytes do not reach that far.</summary>
    internal bool TryRead(long offset, Span<byte> destination)
    {
        if (offset < 0 || offset > Length - destination.Length) return false;
        if (_handle is null) _memory.Span.Slice((int)offset, destination.Length).CopyTo(destination);
        else if (destination.Length > _window.Length) return FillFromFile(offset, destination);
        else
        {
            if (offset < _windowStart || offset + destination.Length > _windowStart + _windowLength)
                (_windowStart, _windowLength) = (offset, RandomAccess.Read(_handle, _window, offset));
            if (offset + destination.Length > _windowStart + _windowLength) return false;
            _window.AsSpan((int)(offset - _windowStart), destination.Length).CopyTo(destination);
        }

        return true;
    }

    // The system may give less than was asked for although there is more.
    private bool FillFromFile(long offset, Span<byte> destination)
    {
        while (destination.Length > 0)
        {
            var read = RandomAccess.Read(_handle!, destination, offset);
            if (read == 0) return false;
            offset += read;
            destination = destination[read..];
        }

        return true;
    }

    /// <summary>Fills the destination.</summary>
    /// <exception cref="InvalidDataException">The bytes do not reach that far.</exception>
    internal void Read(long offset, Span<byte> destination)
    {
        if (!TryRead(offset, destination))
            throw new InvalidDataException($"the file ends after {Length} bytes, in the middle of its header: it is truncated");
    }

    public void Dispose() => _handle?.Dispose();
}

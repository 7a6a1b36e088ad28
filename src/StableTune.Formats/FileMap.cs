using System.IO.MemoryMappedFiles;

namespace StableTune.Formats;

/// <summary>A whole file mapped into memory on first use, privately (copy on write). Safe to call from several threads at once.</summary>
internal sealed class FileMap(FileStream file, string path, long length) : IDisposable
{
    private readonly Lock _lock = new();
    private MemoryMappedFile? _map;
    private MemoryMappedViewAccessor? _view;
    private nint _start;
    private bool _disposed;

    /// <summary>The address of this byte of the file; valid until this object is disposed.</summary>
    /// <exception cref="InvalidFileException">The file became shorter since it was opened.</exception>
    public unsafe nint Pointer(long offset)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_start != 0) return _start + (nint)offset;
            // Behind a map's end the system ends the process; an exception must come first.
            if (RandomAccess.GetLength(file.SafeFileHandle) is var now && now < length)
                throw new InvalidFileException(path, $"the file has {now} bytes, but had {length} when it was opened.",
                    "Something shortened the file while it was in use: restore it and try again.");
            _map ??= MemoryMappedFile.CreateFromFile(file, null, 0, MemoryMappedFileAccess.CopyOnWrite, HandleInheritability.None,
                leaveOpen: true);
            _view ??= _map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.CopyOnWrite);
            byte* pointer = null;
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
            _start = (nint)pointer + (nint)_view.PointerOffset;
            return _start + (nint)offset;
        }
    }

    /// <summary>As <see cref="Pointer"/>, but the map stays until the lease is disposed, also when this object is disposed
    /// before.</summary>
    /// <exception cref="InvalidFileException">The file became shorter since it was opened.</exception>
    public MappedTensor Lease(long offset, long byteCount)
    {
        var pointer = Pointer(offset);
        return new MappedTensor(pointer, byteCount, _view!.SafeMemoryMappedViewHandle);
    }

    /// <summary>The map goes as soon as no lease is left. The file stays open.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed) return;
            _disposed = true;
            if (_start != 0) _view!.SafeMemoryMappedViewHandle.ReleasePointer();
            _view?.Dispose();
            _map?.Dispose();
        }
    }
}

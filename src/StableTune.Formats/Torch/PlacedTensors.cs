using System.Diagnostics.CodeAnalysis;

namespace StableTune.Formats;

/// <summary>Named tensors whose places in an open file are known: reading and mapping them.</summary>
internal sealed class PlacedTensors : IDisposable
{
    private readonly string _path;
    private readonly FileStream _file;
    private readonly FileMap _map;
    private readonly List<TensorInfo> _infos = [];
    private readonly Dictionary<string, (TensorInfo Info, TensorPlace Place)> _byName = new(StringComparer.Ordinal);
    private volatile bool _disposed;

    /// <exception cref="InvalidFileException">The tensors together have many times the file's size, because they repeat
    /// elements.</exception>
    public PlacedTensors(string path, FileStream file, IEnumerable<KeyValuePair<string, PickleTensor>> tensors)
    {
        (_path, _file) = (path, file);
        var total = (Int128)0;
        foreach (var (name, tensor) in tensors)
        {
            var place = tensor.Place;
            var begin = Math.Max(0, place.Offset);
            var info = new TensorInfo(name, place.Type, place.Shape, begin, begin + place.ByteCount);
            total += place.ByteCount;
            _byName.Add(name, (info, place));
            _infos.Add(info);
        }

        if (total > ((Int128)file.Length * 8) + (64 << 20))
            throw new InvalidFileException(
                path, $"its tensors have {total} bytes together, but the file has {file.Length}: they repeat the same elements.",
                "Do not trust the file, or save it again with tensors that share less.");
        _map = new FileMap(file, path, file.Length);
    }

    public IReadOnlyList<TensorInfo> Infos => _infos;

    public bool TryGet(string name, [MaybeNullWhen(false)] out TensorInfo info)
    {
        var found = _byName.TryGetValue(name, out var entry);
        info = entry.Info;
        return found;
    }

    public void Read(TensorInfo info, Span<byte> destination, long offset) => Read(Find(info), destination, offset);

    /// <summary>Copies bytes of the row-major form. What lies in the file row by row is read from it, everything else is gathered from
    /// the map.</summary>
    public void Read(TensorPlace place, Span<byte> destination, long offset)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, place.ByteCount);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(destination.Length, place.ByteCount - offset, nameof(destination));
        if (destination.Length == 0) return;
        var stored = place.Storage.Stored;
        if (stored.InFile && place.IsContiguous) FileBytes.Read(_file.SafeFileHandle, destination, place.Offset + offset, _path);
        else if (stored.InFile) TensorGather.Copy(place, _map.Pointer(stored.Offset), destination, offset);
        else Gather(place, stored.Memory, destination, offset);
    }

    /// <summary>The mapped bytes; null when they do not lie in the file row by row.</summary>
    public MappedTensor? Lease(TensorInfo info)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var place = Find(info);
        return place.Storage.Stored.InFile && place.IsContiguous ? _map.Lease(place.Offset, place.ByteCount) : null;
    }

    public void Dispose()
    {
        _disposed = true;
        _map.Dispose();
        _file.Dispose();
    }

    private static unsafe void Gather(TensorPlace place, ReadOnlyMemory<byte> memory, Span<byte> destination, long offset)
    {
        fixed (byte* origin = memory.Span) TensorGather.Copy(place, (nint)origin, destination, offset);
    }

    private TensorPlace Find(TensorInfo info)
    {
        ArgumentNullException.ThrowIfNull(info);
        return _byName.TryGetValue(info.Name, out var own) && ReferenceEquals(own.Info, info) ? own.Place
            : throw new ArgumentException($"Tensor '{info.Name}' is not one of {_path}.", nameof(info));
    }
}

using System.Diagnostics.CodeAnalysis;

namespace StableTune.Formats;

/// <summary>
/// A safetensors file, open for reading. Its header was checked as a whole when it was opened, so no tensor can lie
/// outside the file, overlap another, or have another size than its shape says.
/// </summary>
/// <remarks>
/// There are two ways to the data. <see cref="Read"/> copies from a position of the file into memory of the caller; it may
/// be called from several threads at once. <see cref="Span"/>, <see cref="Pointer"/> and <see cref="Lease"/> map the file
/// into memory on first use and copy nothing; the map is private (copy on write): changing it never changes the file.
/// A mapped file must not be shortened by another program while it is in use, the system ends the process then; writers
/// that replace files by renaming, as <see cref="SafetensorsWriter"/> does, are harmless.
/// On Windows a file cannot be replaced while it is open here: dispose first.
/// </remarks>
public sealed class SafetensorsFile : ITensorFile
{
    private static readonly OrderedDictionary<string, string> NoMetadata = [];

    private readonly FileStream _file;
    private readonly SafetensorsHeader _header;
    private readonly Dictionary<string, TensorInfo> _byName;
    private readonly FileMap _map;
    private volatile bool _disposed;

    private SafetensorsFile(string path, FileStream file)
    {
        (Path, _file) = (path, file);
        _header = SafetensorsHeader.Read(file.SafeFileHandle, path);
        _byName = _header.Tensors.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
        _map = new FileMap(file, path, DataOffset + DataLength);
    }

    /// <summary>Opens the file and checks its header. Reads no tensor.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="InvalidFileException">The file is missing, is no safetensors file, is truncated, or its header is
    /// wrong.</exception>
    public static SafetensorsFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var file = FileBytes.Open(path);
        try
        {
            return new SafetensorsFile(path, file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The file, as the caller named it.</summary>
    public string Path { get; }

    /// <summary>The free texts of the header (<c>__metadata__</c>), in the order of the file; empty when there are none.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _header.Metadata ?? NoMetadata;

    /// <summary>Whether the header has <c>__metadata__</c> at all; it may be there and empty.</summary>
    public bool HasMetadata => _header.Metadata is not null;

    /// <summary>The tensors, in the order of the header.</summary>
    public IReadOnlyList<TensorInfo> Tensors => _header.Tensors;

    /// <summary>Where in the file the data begins: 8 + the length of the header.</summary>
    public long DataOffset => _header.DataOffset;

    /// <summary>The size of the data of all tensors in bytes.</summary>
    public long DataLength => _header.DataLength;

    /// <summary>The tensor of this name.</summary>
    public bool TryGet(string name, [MaybeNullWhen(false)] out TensorInfo info) => _byName.TryGetValue(name, out info);

    /// <summary>The tensor of this name.</summary>
    /// <exception cref="InvalidFileException">The file has no such tensor; the message names similar ones.</exception>
    public TensorInfo this[string name] => _byName.TryGetValue(name, out var info) ? info : throw TensorFile.NoSuchTensor(this, name);

    /// <summary>Copies bytes of a tensor into the destination, without touching the map. Safe to call from several threads at
    /// once.</summary>
    /// <param name="info">One of this file's tensors.</param>
    /// <param name="destination">Is filled completely.</param>
    /// <param name="offset">The first byte to copy, counted from the tensor's begin.</param>
    /// <exception cref="ArgumentOutOfRangeException">The destination reaches beyond the tensor's end.</exception>
    /// <exception cref="InvalidFileException">The file became shorter since it was opened.</exception>
    public void Read(TensorInfo info, Span<byte> destination, long offset = 0)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        CheckOwn(info);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, info.ByteCount);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(destination.Length, info.ByteCount - offset, nameof(destination));
        FileBytes.Read(_file.SafeFileHandle, destination, DataOffset + info.Begin + offset, Path);
    }

    /// <summary>The tensor's bytes in the mapped file, little-endian, without copying; valid until this object is disposed.</summary>
    /// <exception cref="InvalidFileException">The file has no such tensor, or became shorter since it was opened.</exception>
    /// <exception cref="NotSupportedException">The tensor has 2 GB or more: use <see cref="Pointer"/> or <see cref="Read"/>.</exception>
    public unsafe ReadOnlySpan<byte> Span(string name)
    {
        var info = this[name];
        if (info.ByteCount > int.MaxValue)
            throw new NotSupportedException($"Tensor '{name}' has {info.ByteCount} bytes, more than a span can hold: use Pointer or Read.");
        return new ReadOnlySpan<byte>((void*)Pointer(info), (int)info.ByteCount);
    }

    /// <summary>
    /// The address of the tensor's first byte in the mapped file; valid until this object is disposed, beyond that see
    /// <see cref="Lease"/>. The address is a multiple of the element size only if the file's writer saw to it.
    /// </summary>
    /// <param name="info">One of this file's tensors.</param>
    /// <exception cref="InvalidFileException">The file became shorter since it was opened.</exception>
    public nint Pointer(TensorInfo info)
    {
        CheckOwn(info);
        return _map.Pointer(DataOffset + info.Begin);
    }

    /// <summary>As <see cref="Pointer"/>, but the map stays until the lease is disposed, also when this object is disposed
    /// before.</summary>
    /// <param name="info">One of this file's tensors.</param>
    /// <exception cref="InvalidFileException">The file became shorter since it was opened.</exception>
    public MappedTensor Lease(TensorInfo info)
    {
        CheckOwn(info);
        return _map.Lease(DataOffset + info.Begin, info.ByteCount);
    }

    MappedTensor? ITensorFile.Lease(TensorInfo info) => Lease(info);

    /// <summary>Closes the file; the map goes as soon as no lease is left.</summary>
    public void Dispose()
    {
        _disposed = true;
        _map.Dispose();
        _file.Dispose();
    }

    private void CheckOwn(TensorInfo info)
    {
        ArgumentNullException.ThrowIfNull(info);
        if (!_byName.TryGetValue(info.Name, out var own) || !ReferenceEquals(own, info))
            throw new ArgumentException($"Tensor '{info.Name}' is not one of {Path}.", nameof(info));
    }
}

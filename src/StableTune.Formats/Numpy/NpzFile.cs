using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace StableTune.Formats;

/// <summary>
/// An <c>.npz</c> file, open for reading: a zip archive of NumPy arrays, stored or deflated. All headers were checked when it was opened,
/// so no array can lie outside the file or have another size than its shape says; entries that are no arrays (not <c>.npy</c>) are passed
/// over.
/// </summary>
/// <remarks>
/// Arrays that are stored as they are, row by row, are read from their place in the file, any part of them. Deflated arrays and those
/// with columns first are unpacked whole on first use and kept. Whole reads are checked against the archive's checksum.
/// <see cref="TensorInfo.Begin"/> and <see cref="TensorInfo.End"/> count from where the array's data (deflated: its entry) begins in the
/// file.
/// </remarks>
public sealed class NpzFile : ITensorFile
{
    private static readonly OrderedDictionary<string, string> NoMetadata = [];

    private readonly FileStream _file;
    private readonly Dictionary<string, NpzMember> _members = new(StringComparer.Ordinal);
    private readonly List<TensorInfo> _tensors = [];
    private readonly ConcurrentDictionary<string, Lazy<byte[]>> _unpacked = new(StringComparer.Ordinal);
    private bool _disposed;

    private NpzFile(string path, FileStream file)
    {
        (Path, _file) = (path, file);
        var zip = ZipDirectory.Read(file.SafeFileHandle, path);
        foreach (var entry in zip.Entries)
        {
            if (!entry.Name.EndsWith(".npy", StringComparison.Ordinal)) continue;
            var member = NpzMember.Read(zip, entry, file.SafeFileHandle, path);
            _members.Add(member.Info.Name, member);
            _tensors.Add(member.Info);
        }
    }

    /// <summary>Opens the file and checks the headers of all arrays. Reads no array.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="InvalidFileException">The file is missing, no such archive, truncated, or an array holds what is no
    /// number.</exception>
    public static NpzFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var file = FileBytes.Open(path);
        try
        {
            return new NpzFile(path, file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public string Path { get; }

    /// <summary>Always empty: these files carry no texts.</summary>
    public IReadOnlyDictionary<string, string> Metadata => NoMetadata;

    /// <summary>The arrays, in the order of the file, named without <c>.npy</c>.</summary>
    public IReadOnlyList<TensorInfo> Tensors => _tensors;

    /// <inheritdoc/>
    public TensorInfo this[string name] => TryGet(name, out var info) ? info : throw TensorFile.NoSuchTensor(this, name);

    /// <inheritdoc/>
    public bool TryGet(string name, [MaybeNullWhen(false)] out TensorInfo info)
    {
        info = _members.TryGetValue(name, out var member) ? member.Info : null;
        return info is not null;
    }

    /// <summary>Reads a whole array.</summary>
    /// <param name="name">Its name, without <c>.npy</c>.</param>
    /// <exception cref="InvalidFileException">There is no such array, or its data is damaged.</exception>
    public NpyArray ReadArray(string name)
    {
        var info = this[name];
        if (info.ByteCount > Array.MaxLength)
            throw new InvalidFileException(
                Path, $"array '{name}' has {info.ByteCount} bytes, more than one array in memory can hold.", "Read it in parts.");
        var bytes = new byte[info.ByteCount];
        Read(info, bytes);
        return new NpyArray(name, info.DType, info.Shape, bytes);
    }

    /// <inheritdoc/>
    public void Read(TensorInfo info, Span<byte> destination, long offset = 0)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentNullException.ThrowIfNull(info);
        if (!_members.TryGetValue(info.Name, out var member) || !ReferenceEquals(member.Info, info))
            throw new ArgumentException($"Array '{info.Name}' is not one of {Path}.", nameof(info));
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, info.ByteCount);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(destination.Length, info.ByteCount - offset, nameof(destination));
        if (member.IsPlain)
        {
            FileBytes.Read(_file.SafeFileHandle, destination, info.Begin + offset, Path);
            if (destination.Length == info.ByteCount) member.Check(destination, Path);
            return;
        }

        var unpacked = _unpacked.GetOrAdd(info.Name, _ => new Lazy<byte[]>(() => member.Unpack(_file.SafeFileHandle, Path))).Value;
        unpacked.AsSpan((int)offset, destination.Length).CopyTo(destination);
    }

    /// <summary>Always null: these files are not mapped.</summary>
    /// <param name="info">One of this file's arrays.</param>
    public MappedTensor? Lease(TensorInfo info) => null;

    /// <summary>Closes the file.</summary>
    public void Dispose()
    {
        _disposed = true;
        _file.Dispose();
    }
}

using System.Diagnostics.CodeAnalysis;

namespace StableTune.Formats;

/// <summary>Weights that are spread over several files, the shards, beside an index (<c>model.safetensors.index.json</c>) that names
/// them.</summary>
/// <remarks>The index is what names the shards; what they hold is read from their own headers, and must not contradict it.</remarks>
public sealed class ShardedTensorFile : ITensorFile
{
    /// <summary>How the names of indices end.</summary>
    public const string IndexExtension = ".index.json";

    private static readonly Dictionary<string, string> NoMetadata = [];

    private readonly List<ITensorFile> _shards = [];
    private readonly List<TensorInfo> _tensors = [];
    private readonly Dictionary<string, Place> _places = new(StringComparer.Ordinal);

    private long _end;

    private ShardedTensorFile(string path) => Path = path;

    /// <summary>A tensor as this file tells it, and where it really is.</summary>
    private sealed record Place(TensorInfo Info, ITensorFile Shard, TensorInfo InShard);

    /// <summary>Opens the index and all its shards. Reads no tensor.</summary>
    /// <param name="path">The index; the shards lie in the same folder.</param>
    /// <exception cref="InvalidFileException">
    /// The index is none, names files elsewhere, or a shard is missing, faulty, without a tensor that it should hold, or with one that
    /// another holds too.
    /// </exception>
    public static ShardedTensorFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var index = ShardIndex.Read(path);
        var file = new ShardedTensorFile(path);
        try
        {
            foreach (var shard in index.Shards) file.Add(System.IO.Path.Combine(System.IO.Path.GetDirectoryName(path) ?? "", shard));
            file.Compare(index);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public string Path { get; }

    /// <summary>The free texts of the first shard.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _shards.Count > 0 ? _shards[0].Metadata : NoMetadata;

    /// <summary>The tensors of all shards, one shard after the other.</summary>
    public IReadOnlyList<TensorInfo> Tensors => _tensors;

    /// <summary>The files that hold the tensors.</summary>
    public IReadOnlyList<string> Shards => [.. _shards.Select(shard => shard.Path)];

    /// <inheritdoc/>
    public bool TryGet(string name, [MaybeNullWhen(false)] out TensorInfo info)
    {
        info = _places.TryGetValue(name, out var place) ? place.Info : null;
        return info is not null;
    }

    /// <inheritdoc/>
    public void Read(TensorInfo info, Span<byte> destination, long offset = 0)
    {
        var place = PlaceOf(info);
        place.Shard.Read(place.InShard, destination, offset);
    }

    /// <inheritdoc/>
    public MappedTensor? Lease(TensorInfo info)
    {
        var place = PlaceOf(info);
        return place.Shard.Lease(place.InShard);
    }

    /// <summary>Closes all shards.</summary>
    public void Dispose()
    {
        foreach (var shard in _shards) shard.Dispose();
    }

    private void Add(string path)
    {
        // An index that names an index would be a way around in circles.
        if (path.EndsWith(IndexExtension, StringComparison.OrdinalIgnoreCase))
            throw new InvalidFileException(
                Path, $"the index names another index, {System.IO.Path.GetFileName(path)}.",
                "Take the file from the model's repository again.");
        if (!File.Exists(path))
            throw new InvalidFileException(
                Path, $"the index names {System.IO.Path.GetFileName(path)}, which is missing.",
                "Put all files of the model into the folder.");
        var shard = TensorFile.Open(path);
        _shards.Add(shard);
        // As if the shards lay one behind the other, so that reading in this order runs through each of them.
        var begin = _end;
        foreach (var info in shard.Tensors)
        {
            var own = info with { Begin = begin + info.Begin, End = begin + info.End };
            if (!_places.TryAdd(own.Name, new Place(own, shard, info)))
                throw new InvalidFileException(
                    Path, $"the tensor '{own.Name}' lies in two files, {Name(_places[own.Name].Shard)} and {Name(shard)}.",
                    "Remove the files that do not belong to the model.");
            _tensors.Add(own);
            _end = Math.Max(_end, own.End);
        }
    }

    private void Compare(ShardIndex index)
    {
        foreach (var (name, shard) in index.ShardOf)
        {
            if (_places.TryGetValue(name, out var place) && Name(place.Shard) == shard) continue;
            throw new InvalidFileException(Path,
                $"the index says that the tensor '{name}' lies in {shard}, "
                    + $"{(place is null ? "where it is missing" : $"but it lies in {Name(place.Shard)}")}.",
                "Take all files of the model from one repository.");
        }
    }

    private Place PlaceOf(TensorInfo info)
    {
        ArgumentNullException.ThrowIfNull(info);
        return _places.TryGetValue(info.Name, out var place) && ReferenceEquals(place.Info, info)
            ? place
            : throw new ArgumentException($"Tensor '{info.Name}' is not one of {Path}.", nameof(info));
    }

    private static string Name(ITensorFile shard) => System.IO.Path.GetFileName(shard.Path);
}

using System.Text.Json;

namespace StableTune.Formats;

/// <summary>An index file (<c>...index.json</c>): which tensor lies in which of a model's files, the shards.</summary>
/// <param name="Shards">The shards' names, without folder, in the order in which the index first names them.</param>
/// <param name="ShardOf">The shard of each tensor that the index names.</param>
internal sealed record ShardIndex(IReadOnlyList<string> Shards, IReadOnlyDictionary<string, string> ShardOf)
{
    /// <summary>Real indices have up to a few megabytes.</summary>
    private const long LargestFile = 64L << 20;

    /// <summary>More files than this no model has, and each takes a handle.</summary>
    private const int MostShards = 1000;

    private const string Again = "Take the file from the model's repository again.";

    private static readonly char[] NoPartOfAName = ['/', '\\', ':'];

    /// <summary>Reads the index. Opens no shard.</summary>
    /// <exception cref="InvalidFileException">It is missing, no index, or names files outside its folder.</exception>
    public static ShardIndex Read(string path)
    {
        using var document = Parse(path);
        if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("weight_map", out var map)
            || map.ValueKind != JsonValueKind.Object)
            throw new InvalidFileException(path, "this is no index of weights: it has no object \"weight_map\".", Again);

        var (shards, shardOf) = (new OrderedDictionary<string, bool>(StringComparer.Ordinal), new Dictionary<string,
            string>(StringComparer.Ordinal));
        foreach (var entry in map.EnumerateObject())
        {
            var (name, shard) = (entry.Name, entry.Value.ValueKind == JsonValueKind.String ? entry.Value.GetString()! : null);
            if (shard is null)
                throw new InvalidFileException(
                    path, $"the index gives {entry.Value.GetRawText()} instead of a file for the tensor '{name}'.", Again);
            CheckShardName(path, shard);
            if (!shardOf.TryAdd(name, shard)) throw new InvalidFileException(path, $"the index names the tensor '{name}' twice.", Again);
            if (!shards.TryAdd(shard, true) || shards.Count <= MostShards) continue;
            throw new InvalidFileException(path, $"the index names more than {MostShards} files.", Again);
        }

        if (shards.Count == 0) throw new InvalidFileException(path, "the index names no tensors.", Again);
        return new ShardIndex([.. shards.Keys], shardOf);
    }

    // A shard is a file beside its index; whatever could lead elsewhere is refused, also where this system would not follow it.
    private static void CheckShardName(string path, string shard)
    {
        if (shard.Length > 0 && shard.Trim() is not ("" or "." or "..") && shard.IndexOfAny(NoPartOfAName) < 0
            && !shard.Any(char.IsControl)) return;
        throw new InvalidFileException(path, $"the index names the file \"{shard}\"; only plain names of files beside the index are taken.",
            "Do not use this model unless you know where it comes from.");
    }

    private static JsonDocument Parse(string path)
    {
        using var file = FileBytes.Open(path);
        if (file.Length > LargestFile)
            throw new InvalidFileException(path, $"the file has {file.Length} bytes, far too many for an index.", Again);
        var bytes = new byte[file.Length];
        FileBytes.Read(file.SafeFileHandle, bytes, 0, path);
        return JsonFile.Parse(path, bytes, Again, allowTwice: true);
    }
}

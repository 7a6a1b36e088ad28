using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json;

namespace StableTune.Data;

/// <summary>
/// Hashes of files, remembered in a folder with length and time of each, so that an image that did not change is not read again. The
/// memory is only a short cut: without it everything is computed anew.
/// </summary>
internal sealed class ImageHashes(string folder)
{
    private const string Name = "image-hashes.json";

    private readonly ConcurrentDictionary<string, Entry> _known = Load(Path.Combine(folder, Name));
    private readonly ConcurrentDictionary<string, Entry> _changed = new(StringComparer.Ordinal);

    /// <summary>What is remembered of a file.</summary>
    internal sealed record Entry(long Length, long Time, string Hash);

    /// <summary>SHA-256 of a file's content, as hexadecimal digits.</summary>
    internal static string Compute(string path)
    {
        using var file = File.OpenRead(path);
        return Convert.ToHexStringLower(SHA256.HashData(file));
    }

    /// <summary>The hash of a file; of one that is gone, the one it had. Null when that is not known.</summary>
    /// <param name="path">The file.</param>
    /// <param name="anew">Whether the content is to be read in any case.</param>
    /// <param name="previous">Another hash that the same file had before; null when there is none.</param>
    internal string? Of(string path, bool anew, out string? previous)
    {
        var (full, info) = (Path.GetFullPath(path), new FileInfo(path));
        var known = _changed.GetValueOrDefault(full) ?? _known.GetValueOrDefault(full);
        previous = null;
        if (!info.Exists) return known?.Hash;
        if (!anew && known is not null && known.Length == info.Length && known.Time == info.LastWriteTimeUtc.Ticks) return known.Hash;
        var entry = new Entry(info.Length, info.LastWriteTimeUtc.Ticks, Compute(full));
        if (known is not null && known.Hash != entry.Hash) previous = known.Hash;
        if (entry != known) _changed[full] = entry;
        return entry.Hash;
    }

    /// <summary>Writes what is new, beside what other runs have written meanwhile.</summary>
    internal void Save()
    {
        if (_changed.IsEmpty) return;
        var path = Path.Combine(folder, Name);
        using (FileLock.Take(path))
        {
            var all = Load(path);
            foreach (var (file, entry) in _changed) all[file] = entry;
            AtomicFile.Write(path, stream =>
                JsonSerializer.Serialize(stream, new SortedDictionary<string, Entry>(all, StringComparer.Ordinal), JsonText.Indented));
        }

        foreach (var (file, entry) in _changed) _known[file] = entry;
        _changed.Clear();
    }

    private static ConcurrentDictionary<string, Entry> Load(string path)
    {
        try
        {
            if (!File.Exists(path)) return new(StringComparer.Ordinal);
            var read = JsonSerializer.Deserialize<Dictionary<string, Entry?>>(File.ReadAllBytes(path)) ?? [];
            return new(read.Where(entry => entry.Value?.Hash is { Length: 64 })
                .Select(entry => KeyValuePair.Create(entry.Key, entry.Value!)), StringComparer.Ordinal);
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            return new(StringComparer.Ordinal);              // damaged: everything is computed anew
        }
    }
}

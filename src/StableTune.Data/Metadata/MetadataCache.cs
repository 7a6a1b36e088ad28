using System.Text.Json;
using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>
/// sd-scripts' <c>metadata_cache.json</c> in a folder of images: caption and size of each, so that the files need not be read again. Ours notes length
/// and time of image and caption too, and so sees when they change; entries without are read anew.
/// </summary>
internal sealed class MetadataCache
{
    internal const string Name = "metadata_cache.json";

    private static readonly JsonSerializerOptions s_options = new(JsonText.Indented) { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private readonly string _path;
    private readonly Dictionary<string, Entry?> _before;
    private readonly SortedDictionary<string, Entry> _now = new(StringComparer.Ordinal);

    internal MetadataCache(string folder)
    {
        _path = Path.Combine(folder, Name);
        _before = Load(_path);
    }

    /// <summary>What is noted of an image.</summary>
    /// <param name="Caption">Its caption; the class tokens in files of sd-scripts, null in ours, where it has none.</param>
    /// <param name="Resolution">Width and height as stored in the file.</param>
    /// <param name="Stamp">Lengths and times of image and caption file; null in files of sd-scripts.</param>
    /// <param name="Turned">Whether its EXIF orientation exchanges width and height.</param>
    internal sealed record Entry(string? Caption, int[] Resolution, string? Stamp = null, bool Turned = false);

    /// <summary>Caption and size of an image, from the cache where nothing changed. The size is null for turned photographs: the builder knows what counts.</summary>
    /// <exception cref="InvalidFileException">The files cannot be read.</exception>
    internal (string? Caption, PixelSize? Size) Of(string image, string? captionFile)
    {
        var (key, stamp) = (Path.GetFullPath(image), $"{StampOf(image)} {(captionFile is null ? "-" : $"{Path.GetFileName(captionFile)} {StampOf(captionFile)}")}");
        if (_before.GetValueOrDefault(key) is not { Resolution: [> 0, > 0] } entry || entry.Stamp != stamp)
        {
            var (stored, turned) = (ImageHeader.ReadSize(image, applyExif: false), ImageHeader.ReadSize(image, applyExif: true));
            entry = new(captionFile is null ? null : CaptionFiles.Read(captionFile), [stored.Width, stored.Height], stamp, stored != turned);
        }

        _now[key] = entry;
        return (entry.Caption, entry.Turned ? null : new(entry.Resolution[0], entry.Resolution[1]));
    }

    /// <summary>Writes the cache where something changed: complete or not at all.</summary>
    internal void Save()
    {
        if (_before.Count == _now.Count && _now.All(entry => ReferenceEquals(_before.GetValueOrDefault(entry.Key), entry.Value))) return;
        AtomicFile.Write(_path, stream => JsonSerializer.Serialize(stream, _now, s_options));
    }

    private static string StampOf(string path)
    {
        var info = new FileInfo(path);
        return $"{info.Length} {info.LastWriteTimeUtc.Ticks}";
    }

    private static Dictionary<string, Entry?> Load(string path)
    {
        try
        {
            return File.Exists(path) ? JsonSerializer.Deserialize<Dictionary<string, Entry?>>(File.ReadAllBytes(path), s_options) ?? [] : [];
        }
        catch (JsonException)
        {
            return [];                                       // damaged: everything is read anew, and it is written again
        }
    }
}

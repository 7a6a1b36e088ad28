using System.Text.Json;
using System.Text.Json.Serialization;
using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>
/// sd-scripts' <c>metadata_cache.json</c> in a folder of images: caption and size of each, so that the files need not be read again. Ours
/// notes length and time of image and caption too, and so sees when they change; entries without are read anew.
/// </summary>
internal sealed class MetadataCache
{
    internal const string Name = "metadata_cache.json";

    private static readonly JsonSerializerOptions s_options = new(JsonText.Indented)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
    };

    private readonly string _path;
    private readonly string _classTokens;
    private readonly CaptionOptions _captions;
    private readonly Dictionary<string, Entry?> _before;
    private readonly SortedDictionary<string, Entry> _now = new(StringComparer.Ordinal);

    /// <param name="folder">The folder of the images.</param>
    /// <param name="classTokens">The caption of images without one; null is none.</param>
    /// <param name="captions">How captions are read.</param>
    internal MetadataCache(string folder, string? classTokens, CaptionOptions captions)
    {
        (_path, _classTokens, _captions) = (Path.Combine(folder, Name), classTokens ?? "", captions);
        _before = Load(_path);
    }

    /// <summary>What is noted of an image.</summary>
    /// <param name="Caption">Its caption as it is trained, which sd-scripts takes from here: the class tokens, or nothing, where it has
    /// none.</param>
    /// <param name="Resolution">Width and height as stored in the file.</param>
    /// <param name="Stamp">Lengths and times of image and caption file; null in files of sd-scripts.</param>
    /// <param name="Turned">Whether its EXIF orientation exchanges width and height.</param>
    /// <param name="Text">The caption as its author wrote it, where that is more than <paramref name="Caption"/>.</param>
    internal sealed record Entry(string? Caption, int[] Resolution, string? Stamp = null, bool Turned = false, string? Text = null)
    {
        /// <summary>What other programs note beside these.</summary>
        [JsonExtensionData]
        public Dictionary<string, JsonElement>? Others { get; init; }
    }

    /// <summary>
    /// Caption and size of an image, from the cache where nothing changed. The size is null for turned photographs: the builder knows what
    /// counts.
    /// </summary>
    /// <exception cref="InvalidFileException">The files cannot be read.</exception>
    internal (string? Caption, PixelSize? Size) Of(string image, string? captionFile)
    {
        var (key, stamp) = (Path.GetFullPath(image),
            $"{StampOf(image)} {(captionFile is null ? "-" : $"{Path.GetFileName(captionFile)} {StampOf(captionFile)}")}");
        var known = _before.GetValueOrDefault(key);
        var entry = known is { Resolution: [> 0, > 0] } && known.Stamp == stamp ? known
            : Read(image, captionFile, stamp) with { Others = known?.Others };
        var written = captionFile is null ? null : entry.Text ?? entry.Caption ?? "";
        var caption = written is null ? CaptionText.Clean(_classTokens, _captions) : CaptionText.Clean(written, _captions);
        var text = written == caption ? null : written;
        if (entry.Caption != caption || entry.Text != text) entry = entry with { Caption = caption, Text = text };
        _now[key] = entry;
        return (written, entry.Turned ? null : new(entry.Resolution[0], entry.Resolution[1]));
    }

    /// <summary>
    /// Writes the cache where something changed: complete or not at all. What it says of other images stays, as sd-scripts trains what is
    /// listed here.
    /// </summary>
    internal void Save()
    {
        if (_now.All(entry => ReferenceEquals(_before.GetValueOrDefault(entry.Key), entry.Value))) return;
        foreach (var (key, entry) in _before)
            if (entry is not null) _now.TryAdd(key, entry);
        AtomicFile.Write(_path, stream => JsonSerializer.Serialize(stream, _now, s_options));
    }

    private static Entry Read(string image, string? captionFile, string stamp)
    {
        var (stored, turned) = (ImageHeader.ReadSize(image, applyExif: false), ImageHeader.ReadSize(image, applyExif: true));
        return new(null, [stored.Width, stored.Height], stamp, stored != turned, captionFile is null ? null
            : CaptionFinder.Read(captionFile));
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
            return File.Exists(path) ? JsonSerializer.Deserialize<Dictionary<string, Entry?>>(File.ReadAllBytes(path), s_options) ?? []
                : [];
        }
        catch (JsonException)
        {
            return [];                                       // damaged: everything is read anew, and it is written again
        }
    }
}

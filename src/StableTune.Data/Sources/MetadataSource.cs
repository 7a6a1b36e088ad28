using StableTune.Data;
using StableTune.Imaging;

namespace StableTune;

/// <summary>The images of a metadata file, with their captions and tags: what sd-scripts calls fine-tuning.</summary>
/// <param name="file">The metadata file, <c>.json</c> or <c>.jsonl</c>; see <see cref="MetadataFile"/>.</param>
/// <param name="imageFolder">
/// Where keys that are relative paths or bare names start from; null for the folder of the metadata file. Keys that are full paths need none.
/// </param>
public sealed class MetadataSource(string file, string? imageFolder = null) : IDatasetSource
{
    private const string Option = "MetadataSource.File";

    /// <summary>The metadata file, as the user named it.</summary>
    public string File { get; } = file ?? throw new ArgumentNullException(nameof(file));

    /// <summary>Where relative keys start from; null for the folder of the metadata file. (sd-scripts demands one.)</summary>
    public string? ImageFolder { get; } = imageFolder;

    /// <summary>What stands between caption and tags; give the subset's <see cref="CaptionOptions.Separator"/>. Default a comma.</summary>
    public string Separator { get; init; } = ",";

    /// <summary>
    /// Whether captions of several lines are alternatives: the tags then follow each line; give the subset's <see cref="CaptionOptions.Wildcard"/>.
    /// </summary>
    public bool Wildcard { get; init; }

    /// <inheritdoc/>
    public string Name => Path.GetFileName(File);

    /// <inheritdoc/>
    public IEnumerable<DatasetItem> Items()
    {
        if (ImageFolder is not null && FolderRules.Existing("MetadataSource.ImageFolder", ImageFolder) is { } missing) throw new InvalidOptionsException([missing]);
        var images = MetadataFile.Load(File);
        if (images.Count == 0) throw new InvalidOptionsException([new(Option, File, "the metadata file lists no images", "write it with MetadataMerge, or name another")]);
        var folder = ImageFolder ?? Path.GetDirectoryName(Path.GetFullPath(File))!;
        var (items, problems, latents) = (new List<DatasetItem>(images.Count), new List<OptionProblem>(), new Dictionary<string, Dictionary<string, PixelSize>>(StringComparer.Ordinal));
        foreach (var (key, image) in images)
        {
            if (Find(folder, key) is { } path)
                items.Add(new DatasetItem(path, Text(image)) { Group = Name, Tags = Tags(image) });
            else if (Cached(folder, key, image, latents) is { } cached)
                items.Add(cached with { Caption = Text(image), Group = Name, Tags = Tags(image) });
            else
                problems.Add(new(Option, File, $"its image \"{key}\" is not in {folder}", "fix the key or the image folder; a key without extension is looked for with each extension of images"));
        }

        InvalidOptionsException.ThrowIfAny(problems);
        return items;
    }

    /// <summary>An image that is gone while its latents are still there: of the size that their name tells, else of the one noted for training.</summary>
    /// <param name="folder">Where relative keys start from.</param>
    /// <param name="key">The image's key.</param>
    /// <param name="image">What is known of it.</param>
    /// <param name="latents">The files of latents by folder, with the sizes that their names tell: each folder is listed once.</param>
    private static DatasetItem? Cached(string folder, string key, ImageMetadata image, Dictionary<string, Dictionary<string, PixelSize>> latents)
    {
        if (key.Trim().Length == 0 || key.Contains('\0', StringComparison.Ordinal)) return null;
        var path = Path.Combine(folder, key);
        if (!ImageFiles.Extensions.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase)) path += ".png";
        if (Path.GetDirectoryName(path) is not { } place || !Directory.Exists(place)) return null;
        if (!latents.TryGetValue(place, out var named)) latents[place] = named = LatentNames.In(place);
        if (named.TryGetValue(Path.ChangeExtension(path, null), out var found)) return new DatasetItem(path, found, null) { IsCachedOnly = true };
        return image.TrainResolution is { } size && System.IO.File.Exists(LatentNames.Plain(path))
            ? new DatasetItem(path, size, null) { IsCachedOnly = true, PreparedFrom = image.ImageSize ?? size } : null;
    }

    /// <summary>The file of a key: the path that it is, or a name to which an extension is found.</summary>
    private static string? Find(string folder, string key)
    {
        if (key.Trim().Length == 0 || key.Contains('\0', StringComparison.Ordinal)) return null;
        var path = Path.Combine(folder, key);                              // a full path stays what it is
        if (System.IO.File.Exists(path)) return path;
        return ImageFiles.Extensions.SelectMany(extension => new[] { extension, extension.ToUpperInvariant() }).Select(extension => path + extension).FirstOrDefault(System.IO.File.Exists);
    }

    /// <summary>
    /// Caption and tags as one text; null where there are neither. Tags without a caption stay also where captions have several lines (sd-scripts loses them).
    /// </summary>
    private string? Text(ImageMetadata image)
    {
        if (image.Caption is null || string.IsNullOrEmpty(image.Tags)) return image.Caption ?? image.Tags;
        if (!Wildcard) return image.Caption.Length == 0 ? image.Tags : image.Caption + Separator + image.Tags;
        var tags = Tags(image);
        var lines = image.Caption.Split('\n').Where(line => line.Trim().Length > 0).ToList();
        return lines.Count == 0 ? tags : string.Join('\n', lines.Select(line => line + Separator + tags));
    }

    /// <summary>The tags, as they are counted. Where lines of captions are alternatives, lines of tags are not: they are joined.</summary>
    private string Tags(ImageMetadata image) => image.Tags is not { } tags ? "" : Wildcard ? string.Join(Separator, tags.Split('\n')) : tags;
}

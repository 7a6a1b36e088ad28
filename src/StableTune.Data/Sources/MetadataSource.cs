using StableTune.Data;
using StableTune.Imaging;

namespace StableTune;

/// <summary>The images of a metadata file, with their captions and tags: what sd-scripts calls fine-tuning.</summary>
/// <param name="file">
/// The metadata file, <c>.json</c>, <c>.jsonl</c>, <c>.csv</c> or <c>.tsv</c>; see <see cref="MetadataFile"/>.
/// </param>
/// <param name="imageFolder">
/// Where keys that are relative paths or bare names start from; null for the folder of the metadata file. Keys that are full paths need
/// none.
/// </param>
public sealed class MetadataSource(string file, string? imageFolder = null) : IDatasetSource, IKindsSource
{
    private const string Option = "MetadataSource.File";

    /// <summary>The metadata file, as the user named it.</summary>
    public string File { get; } = file ?? throw new ArgumentNullException(nameof(file));

    /// <summary>Where relative keys start from; null for the folder of the metadata file. (sd-scripts demands one.)</summary>
    public string? ImageFolder { get; } = imageFolder;

    /// <summary>What stands between caption and tags; give the subset's <see cref="CaptionOptions.Separator"/>. Default a comma.</summary>
    public string Separator { get; init; } = ",";

    /// <summary>
    /// Whether captions of several lines are alternatives: the tags then follow each line; give the subset's
    /// <see cref="CaptionOptions.Wildcard"/>.
    /// </summary>
    public bool Wildcard { get; init; }

    /// <inheritdoc/>
    public string Name => Path.GetFileName(File);

    /// <inheritdoc/>
    public IEnumerable<DatasetItem> Items() => ((IKindsSource)this).Items(SourceContext.Alone);

    IEnumerable<string> IKindsSource.Warnings(SourceContext context) => [];

    IEnumerable<DatasetItem> IKindsSource.Items(SourceContext context)
    {
        if (ImageFolder is not null && FolderRules.Existing("MetadataSource.ImageFolder", ImageFolder) is { } missing)
            throw new InvalidOptionsException([missing]);
        var images = MetadataFile.Load(File);
        if (images.Count == 0)
            throw new InvalidOptionsException(
                [new(Option, File, "the metadata file lists no images", "write it with MetadataMerge, or name another")]);
        var folder = ImageFolder ?? Path.GetDirectoryName(Path.GetFullPath(File))!;
        var (items, problems, places) = (new List<DatasetItem>(images.Count), new List<OptionProblem>(),
            new MetadataPlaces(context.Extensions));
        foreach (var (key, image) in images)
        {
            var path = IsPath(key) ? Path.Combine(folder, key) : null;     // a full path stays what it is
            if ((path is null ? null : places.Find(path) ?? places.Gone(path, image)) is { } item)
                items.Add(item with { Caption = Text(image), Group = Name, Tags = Tags(image), TrainingSize = item.PreparedFrom is null
                    ? image.TrainResolution : null });
            else
                problems.Add(new(Option, File, $"its image \"{key}\" is not in {folder}",
                    "fix the key or the image folder; a key without extension is looked for with each extension of images"));
        }

        InvalidOptionsException.ThrowIfAny(problems);
        return items;
    }

    private static bool IsPath(string key) => key.Trim().Length > 0 && !key.Contains('\0', StringComparison.Ordinal);

    /// <summary>
    /// Caption and tags as one text; null where there are neither. Tags without a caption stay also where captions have several lines
    /// (sd-scripts loses them).
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
    private string Tags(ImageMetadata image) =>
        image.Tags is not { } tags ? "" : Wildcard ? string.Join(Separator, tags.Split('\n')) : tags;
}

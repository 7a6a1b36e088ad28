using StableTune.Data;
using StableTune.Imaging;

namespace StableTune;

/// <summary>
/// The images directly inside a folder (png, jpg, jpeg, webp, bmp, or what the data set's codec reads), sorted by name, each with the caption file of the same
/// name beside it. A folder called <c>20_sls frog</c> also says its repeats and class tokens (<see cref="DreamBoothFolder"/>).
/// </summary>
/// <param name="folder">The folder; not searched recursively.</param>
public sealed class FolderSource(string folder) : IDatasetSource, IKindsSource
{
    private const int UnlikelyRepeats = 1000;

    /// <summary>The folder, as the user named it.</summary>
    public string Folder { get; } = folder ?? throw new ArgumentNullException(nameof(folder));

    /// <summary>
    /// The extension of caption files, for instance <c>.txt</c>: exactly this one is looked for. Null, the default, takes
    /// <c>.caption</c> where it exists and <c>.txt</c> otherwise. (sd-scripts: <c>.caption</c> only, unless told otherwise.)
    /// </summary>
    public string? CaptionExtension { get; init; }

    /// <summary>
    /// Whether the folder's name is read by the DreamBooth convention; default true. It counts only with an underscore:
    /// <c>20_frog</c> says something, a folder called <c>2024</c> does not.
    /// </summary>
    public bool ReadFolderName { get; init; } = true;

    /// <summary>
    /// Whether captions and sizes are noted in <c>metadata_cache.json</c> in the folder, and taken from there as long as the files do not change;
    /// default false. (sd-scripts: <c>cache_info</c>, which does not see changes.)
    /// </summary>
    public bool CacheInfo { get; init; }

    /// <summary>
    /// Whether images that are gone are trained from the latents that a run left beside them (<c>frog_0512x0768_sd.npz</c>); default false, so that an
    /// image is not trained any more when it was deleted. Needs <see cref="CacheOptions.LatentsToDisk"/>.
    /// </summary>
    public bool TakeCached { get; init; }

    /// <inheritdoc/>
    public string Name => FolderRules.NameOf(Folder);

    /// <summary>What a root folder already read from the name, by its own, wider rule.</summary>
    internal DreamBoothFolder? Convention { get; init; }

    /// <summary>What the name says of repeats and class tokens; null where it says nothing.</summary>
    internal DreamBoothFolder? Said =>
        Convention ?? (ReadFolderName && Name.Contains('_', StringComparison.Ordinal) ? DreamBoothFolder.Parse(Name) : null);

    /// <inheritdoc/>
    public IEnumerable<DatasetItem> Items() => ((IKindsSource)this).Items(ImageFiles.Extensions);

    IEnumerable<DatasetItem> IKindsSource.Items(IReadOnlyList<string> extensions)
    {
        InvalidOptionsException.ThrowIfAny(FolderProblems());
        var images = ImageFiles.In(Folder, extensions);
        var gone = TakeCached ? Gone(images) : [];
        if (images.Length + gone.Count == 0) throw new InvalidOptionsException([NoImages()]);

        var (captions, said) = (new CaptionFiles(Folder, CaptionExtension), Said);
        var problems = new List<OptionProblem>();
        var items = new List<DatasetItem>(images.Length);
        var cache = CacheInfo ? new MetadataCache(Folder) : null;
        foreach (var image in images.Concat(gone.Keys).Order(StringComparer.Ordinal))
        {
            try
            {
                var file = captions.Find(image);
                var isGone = gone.TryGetValue(image, out var known);
                var (caption, size) = cache is null || isGone ? (file is null ? null : CaptionFiles.Read(file), isGone ? known : null) : cache.Of(image, file);
                items.Add(new(image, size, caption) { Repeats = said?.Repeats ?? 1, ClassTokens = said?.ClassTokens, IsCachedOnly = isGone });
            }
            catch (InvalidFileException e)
            {
                problems.Add(e.AsProblem("DatasetItem.Caption"));
            }
        }

        InvalidOptionsException.ThrowIfAny(problems);
        cache?.Save();
        return items;
    }

    /// <summary>Images that are not there any more, with the sizes that the names of their latents tell.</summary>
    private Dictionary<string, PixelSize?> Gone(string[] images)
    {
        var stems = images.Select(image => Path.Combine(Folder, Path.GetFileNameWithoutExtension(image))).ToHashSet(StringComparer.Ordinal);
        return LatentNames.In(Folder).Where(latents => !stems.Contains(latents.Key)).ToDictionary(latents => latents.Key + ".png", latents => (PixelSize?)latents.Value, StringComparer.Ordinal);
    }

    /// <inheritdoc/>
    public IEnumerable<string> Warnings() => ((IKindsSource)this).Warnings(ImageFiles.Extensions);

    IEnumerable<string> IKindsSource.Warnings(IReadOnlyList<string> extensions)
    {
        if (!Directory.Exists(Folder)) yield break;
        if (Convention is null && Said is { Repeats: >= UnlikelyRepeats } said)
            yield return $"{Folder}: the folder's name is read as {said.Repeats} repeats of each image. "
                + "Set ReadFolderName to false, or the repeats, if it is only a name.";

        var captions = new CaptionFiles(Folder, CaptionExtension);
        if (ImageFiles.KindsNotRead(Folder, extensions) is { } kinds) yield return kinds;
        var ambiguous = ImageFiles.In(Folder, extensions).Where(HasSeveral).ToList();
        if (ambiguous.Count > 0)
            yield return $"{Folder}: {ambiguous.Count} image(s) have both a .caption and a .txt file, the first is used "
                + $"({Path.GetFileName(ambiguous[0])} ...). Set CaptionExtension to choose.";

        bool HasSeveral(string image) => captions.All(image).Select(Path.GetExtension).Distinct().Count() > 1;
    }

    private IEnumerable<OptionProblem> FolderProblems()
    {
        foreach (var problem in FolderRules.OfImages("FolderSource.Folder", Folder)) yield return problem;
        if (CaptionExtension is not null && CaptionExtension.Trim('.', ' ').Length == 0)
            yield return new("FolderSource.CaptionExtension", CaptionExtension, "the extension of caption files must not be empty", "give for instance .txt, or leave it unset");
    }

    private OptionProblem NoImages()
    {
        var inside = Directory.EnumerateDirectories(Folder).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal).FirstOrDefault();
        var remedy = inside is null
            ? "add .png, .jpg, .webp or .bmp files, or fix the path"
            : $"images are looked for directly inside it: name a folder such as \"{Path.Combine(Folder, inside)}\", or add this one with AddDreamBoothRoot";
        return new("FolderSource.Folder", Folder, "the folder holds no images", remedy);
    }
}

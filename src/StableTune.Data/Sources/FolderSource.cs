using StableTune.Data;
using StableTune.Imaging;

namespace StableTune;

/// <summary>
/// The images directly inside a folder (png, jpg, webp, bmp, or what the data set's codec reads), sorted by name, each with the caption
/// file of the same name beside it. A folder called <c>20_sls frog</c> also says its repeats and class tokens
/// (<see cref="DreamBoothFolder"/>). Names with a leading dot are passed over.
/// </summary>
/// <param name="folder">The folder; not searched recursively.</param>
public sealed class FolderSource(string folder) : IDatasetSource, IKindsSource
{
    private const int UnlikelyRepeats = 1000;

    private static readonly string[] s_lists = ["metadata.jsonl", "metadata.csv"];

    /// <summary>The folder, as the user named it.</summary>
    public string Folder { get; } = folder ?? throw new ArgumentNullException(nameof(folder));

    /// <summary>
    /// The extensions of caption files, in any case; where an image has several, the first extension counts. Default
    /// <see cref="CaptionFiles.Default"/>: <c>.caption</c> alone, as in sd-scripts. <see cref="CaptionFiles.Any"/> takes <c>.txt</c> too.
    /// </summary>
    public IReadOnlyList<string> CaptionExtensions { get; init; } = CaptionFiles.Default;

    /// <summary>Whether <c>frog.png.txt</c> is the caption of <c>frog.png</c> where <c>frog.txt</c> is not there. Default false.</summary>
    public bool CaptionsByFullName { get; init; }

    /// <summary>
    /// Whether the folder's name is read by the DreamBooth convention; default true. It counts only with an underscore:
    /// <c>20_frog</c> says something, a folder called <c>2024</c> does not.
    /// </summary>
    public bool ReadFolderName { get; init; } = true;

    /// <summary>
    /// Whether captions and sizes are noted in <c>metadata_cache.json</c> in the folder, and taken from there as long as the files do not
    /// change; default false. (sd-scripts: <c>cache_info</c>, which does not see changes.)
    /// </summary>
    public bool CacheInfo { get; init; }

    /// <summary>
    /// Whether images that are gone are trained from the latents that a run left beside them (<c>frog_0512x0768_sd.npz</c>); default false,
    /// so that an image is not trained any more when it was deleted. Needs <see cref="CacheOptions.LatentsToDisk"/>.
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
    public IEnumerable<DatasetItem> Items() => ((IKindsSource)this).Items(SourceContext.Alone);

    IEnumerable<DatasetItem> IKindsSource.Items(SourceContext context)
    {
        InvalidOptionsException.ThrowIfAny(FolderProblems());
        var images = ImageFiles.In(Folder, context.Extensions);
        var gone = TakeCached ? Gone(images, context.Extensions) : [];
        if (images.Length + gone.Count == 0) throw new InvalidOptionsException([NoImages(context)]);

        var (captions, said) = (Captions(), Said);
        var problems = new List<OptionProblem>();
        var items = new List<DatasetItem>(images.Length);
        var cache = CacheInfo ? new MetadataCache(Folder, context.Options.ClassTokens ?? said?.ClassTokens, context.Options.Captions)
            : null;
        foreach (var image in images.Concat(gone.Keys).Order(StringComparer.Ordinal))
        {
            try
            {
                var file = captions.Find(image);
                var isGone = gone.TryGetValue(image, out var known);
                var (caption, size) = cache is null || isGone ? (file is null ? null : CaptionFinder.Read(file), isGone ? known : null)
                    : cache.Of(image, file);
                items.Add(new(image, size, caption) { Repeats = said?.Repeats ?? 1, ClassTokens = said?.ClassTokens,
                    IsCachedOnly = isGone });
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

    /// <inheritdoc/>
    public IEnumerable<string> Warnings() => ((IKindsSource)this).Warnings(SourceContext.Alone);

    IEnumerable<string> IKindsSource.Warnings(SourceContext context)
    {
        if (!Directory.Exists(Folder)) return [];
        var images = ImageFiles.In(Folder, context.Extensions);
        return [.. OfTheFolder(context), .. OfCaptions(images, Captions(), context.Options.ClassTokens ?? Said?.ClassTokens)];
    }

    private IEnumerable<string> OfTheFolder(SourceContext context)
    {
        if (Convention is null && Said is { Repeats: >= UnlikelyRepeats } said)
            yield return $"{Folder}: the folder's name is read as {said.Repeats} repeats of each image. "
                + "Set ReadFolderName to false, or the repeats, if it is only a name.";
        if (ImageFiles.KindsNotRead(Folder, context.Extensions) is { } kinds) yield return kinds;
        foreach (var list in s_lists.Where(list => File.Exists(Path.Combine(Folder, list))))
            yield return $"{Folder}: its {list} is not read. Add the images with AddMetadata(\"{Path.Combine(Folder, list)}\") to train "
                + $"with its texts.";
    }

    /// <summary>
    /// What there is to say about caption files: those that are not there, those of which one of several counts, and those that are not
    /// used.
    /// </summary>
    private IEnumerable<string> OfCaptions(string[] images, CaptionFinder captions, string? classTokens)
    {
        var without = images.Where(image => captions.Find(image) is null).ToList();
        if (without.Count > 0 && Convention is null)                        // a root folder says it of all its folders together
            yield return WithoutCaptions(Folder, without.Count, images.Length, captions, classTokens is { Length: > 0 }
                ? $"class tokens \"{classTokens}\"" : null);

        var ambiguous = images.Where(HasSeveral).ToList();
        if (ambiguous.Count > 0)
            yield return $"{Folder}: {ambiguous.Count} image(s) have several caption files ({captions.Extensions}), of which the first is "
                + $"used: "
                + $"{ImageFiles.Names(ambiguous)}. Set CaptionExtensions to choose.";

        var others = images.SelectMany(image => captions.Overlooked(image).OtherExtensions).Distinct().ToList();
        if (others.Count > 0)
            yield return $"{Folder}: {others.Count} file(s) beside images are not read as captions, only {captions.Extensions} are: "
                + $"{ImageFiles.Names(others)}. "
                + "If they are captions, set CaptionExtensions (caption_extension), for instance to CaptionFiles.Any.";
        var full = without.SelectMany(image => captions.Overlooked(image).FullNames).Distinct().ToList();
        if (full.Count > 0)
            yield return $"{Folder}: {full.Count} file(s) are named after the whole name of an image that has no caption file, and are "
                + $"not read: {ImageFiles.Names(full)}. "
                + "If they are captions, set CaptionsByFullName (captions_by_full_name), and CaptionExtensions to theirs.";
        var strays = captions.Strays(images).Except(full.Select(Path.GetFileName)).OfType<string>().ToList();
        if (strays.Count > 0 && !TakeCached)
            yield return $"{Folder}: {strays.Count} caption file(s) belong to no image: {ImageFiles.Names(strays)}. Their names must be "
                + $"those of images, in the same case.";

        bool HasSeveral(string image) => captions.All(image).Select(file => Path.GetExtension(file).ToLowerInvariant()).Distinct()
            .Count() > 1;
    }

    /// <summary>How many images have no caption file, of how many.</summary>
    internal (int Without, int All) CountCaptions(SourceContext context)
    {
        var (images, captions) = (ImageFiles.In(Folder, context.Extensions), Captions());
        return (images.Count(image => captions.Find(image) is null), images.Length);
    }

    /// <summary>A sentence that says so.</summary>
    internal static string WithoutCaptions(string folder, int without, int all, CaptionFinder captions, string? instead) =>
        $"{folder}: {without} of {all} image(s) have no caption file "
            + $"({captions.Extensions}){(instead is null ? "" : $"; the {instead} are their caption")}.";

    /// <summary>Finds caption files as the options say.</summary>
    internal CaptionFinder Captions() => new(Folder, CaptionExtensions, CaptionsByFullName);

    /// <summary>Images that are not there any more, with the sizes that the names of their latents tell.</summary>
    private Dictionary<string, PixelSize?> Gone(string[] images, IReadOnlyList<string> extensions)
    {
        var known = images.Concat(images.Select(image => Path.ChangeExtension(image, null))).ToHashSet(StringComparer.Ordinal);
        return LatentNames.In(Folder).Where(latents => !known.Contains(latents.Key)).ToDictionary(
            latents => ImageFiles.IsImage(latents.Key, extensions) ? latents.Key : latents.Key + ".png", latents =>
                (PixelSize?)latents.Value, StringComparer.Ordinal);
    }

    private IEnumerable<OptionProblem> FolderProblems()
    {
        foreach (var problem in FolderRules.OfImages("FolderSource.Folder", Folder)) yield return problem;
        foreach (var problem in FolderRules.OfCaptions("FolderSource.CaptionExtensions", CaptionExtensions)) yield return problem;
    }

    private OptionProblem NoImages(SourceContext context)
    {
        var others = ImageFiles.NotRead(Folder, context.Extensions);
        if (others.Count > 0)
            return new("FolderSource.Folder", Folder,
                $"of its {others.Count} picture(s) none is of a kind that is read: {ImageFiles.Names(others)}",
                "convert them to PNG or JPEG, or choose another codec with DatasetOptions.Codec");
        var inside = FolderFiles.FoldersIn(Folder).Select(path => Path.GetFileName(path)!).FirstOrDefault();
        var remedy = inside is null
            ? "add .png, .jpg, .webp or .bmp files, or fix the path"
            : $"images are looked for directly inside it: name a folder such as \"{Path.Combine(Folder, inside)}\", or add this one with "
                + $"AddDreamBoothRoot";
        return new("FolderSource.Folder", Folder, "the folder holds no images", remedy);
    }
}

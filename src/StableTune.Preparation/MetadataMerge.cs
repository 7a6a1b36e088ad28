using StableTune.Data;

namespace StableTune.Preparation;

/// <summary>Gathers captions or tags from the text files beside images into one metadata file.</summary>
public static class MetadataMerge
{
    /// <summary>Gathers the texts and writes the file.</summary>
    /// <param name="options">Where from and where to.</param>
    /// <param name="progress">Counts images.</param>
    /// <param name="cancellationToken">Ends the work; nothing is written.</param>
    /// <returns>How many images were noted, and those without a text file, which the reference would stop at; with
    /// <see cref="MetadataMergeOptions.Recursive"/> also folders that could not be searched.</returns>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    /// <exception cref="InvalidFileException">The file to add to is broken, or the folder cannot be listed.</exception>
    public static PreparationReport Run(MetadataMergeOptions options, IProgress<WorkProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        InvalidOptionsException.ThrowIfAny(options.Validate());
        var input = options.Input ?? (File.Exists(options.Output) ? options.Output : null);
        var merged = input is null ? [] : MetadataFile.Load(input);
        var (images, leftOut) = ImageSearch.In(options.ImageFolder!, options.Recursive);
        var (skipped, done) = (new List<SkippedFile>(), 0);
        var keys = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (path, image) in images)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var key = options.FullPath ? image : ImageSearch.ShortKey(options.ImageFolder!, path);
            if (!keys.TryAdd(key, path)) skipped.Add(new(path, $"its key \"{key}\" is that of {keys[key]}: set FullPath, or rename one"));
            else if (Note(merged, key, path, options) is { } reason) skipped.Add(new(path, reason));
            else done++;
            progress?.Report(new() { Stage = "reading texts", Done = done + skipped.Count, Total = images.Count });
        }

        MetadataFile.Save(options.Output!, merged);
        return new PreparationReport(done, skipped).And(leftOut);
    }

    /// <summary>Adds one image's text; answers why that cannot be.</summary>
    private static string? Note(OrderedDictionary<string, ImageMetadata> merged, string key, string image, MetadataMergeOptions options)
    {
        var extension = options.Extension ?? (options.Text == MergedText.Captions ? ".caption" : ".txt");
        var file = Path.ChangeExtension(image, extension);
        if (!File.Exists(file)) return $"it has no text file {Path.GetFileName(file)}";
        try
        {
            var text = CaptionFinder.Read(file).Trim();
            var before = merged.GetValueOrDefault(key) ?? new ImageMetadata();
            merged[key] = options.Text == MergedText.Captions ? before with { Caption = text } : before with { Tags = text };
            return null;
        }
        catch (Exception e) when (FileProblems.IsAboutFiles(e))
        {
            return FileProblems.Reason(e);
        }
    }
}

using StableTune.Data;

namespace StableTune.Preparation;

/// <summary>What tagging did.</summary>
/// <param name="Files">How many images have new tags, and those that were left out.</param>
/// <param name="Frequencies">The tags that were found and how many images have them, the most frequent first; equally frequent ones by
/// name.</param>
public sealed record TaggingReport(PreparationReport Files, IReadOnlyList<TagCount> Frequencies);

/// <summary>Tags the images of a folder with a model, and writes text files beside them or one metadata file.</summary>
public static class ImageTagging
{
    /// <summary>Tags the images. They are read ahead on other threads; the tagger is called on this one. An image without any tag gets an
    /// empty line.</summary>
    /// <param name="options">Which images, which tags, and where they go. Where tags are added to others, those that are there are not
    /// written again.</param>
    /// <param name="tagger">Scores tags.</param>
    /// <param name="progress">Counts images.</param>
    /// <param name="cancellationToken">Ends the work between batches; tags that were written stay.</param>
    /// <returns>What was done, and how often each tag was found.</returns>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    /// <exception cref="InvalidFileException">The metadata file that is there cannot be read, or the folder cannot be listed.</exception>
    /// <exception cref="InvalidOperationException">The tagger does not answer once for each image.</exception>
    public static TaggingReport Run(
        TaggingOptions options, ITagger tagger, IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(tagger);
        InvalidOptionsException.ThrowIfAny(options.Validate());
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        var report = ImageDescribing.Run(
            options, new ImageModel<IReadOnlyList<ScoredTag>>("tagging", tagger.Prepare, tagger.Tag, Text), progress, cancellationToken);
        return new(report, [.. counts.Select(pair => new TagCount(pair.Key, pair.Value)).OrderByDescending(tag => tag.Images)
            .ThenBy(tag => tag.Tag, StringComparer.Ordinal)]);

        string Text(string present, IReadOnlyList<ScoredTag> scored)
        {
            var found = options.Selection.Apply(scored);
            foreach (var tag in found) counts[tag] = counts.GetValueOrDefault(tag) + 1;
            var separator = options.Selection.Separator;
            var kept = present.Split(separator.Trim(), StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            return string.Join(separator, kept.Concat(found.Except(kept, StringComparer.Ordinal)));
        }
    }
}

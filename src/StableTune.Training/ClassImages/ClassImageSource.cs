using StableTune.Data;
using StableTune.Imaging;

namespace StableTune;

/// <summary>
/// Class images as a source of a data set: those that are in the folder, and those that a run will have drawn before it reads the first.
/// </summary>
public sealed class ClassImageSource : IDatasetSource
{
    /// <summary>Takes what is wanted.</summary>
    /// <param name="options">Folder, prompt, number.</param>
    public ClassImageSource(ClassImageOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Options = options;
    }

    /// <summary>What is wanted.</summary>
    public ClassImageOptions Options { get; }

    /// <inheritdoc/>
    public string Name => Path.GetFileName(Path.TrimEndingDirectorySeparator(Options.Folder ?? "class images"));

    /// <inheritdoc/>
    public IEnumerable<DatasetItem> Items()
    {
        InvalidOptionsException.ThrowIfAny([.. Options.Validate()]);
        var there = Present().Select(path => new DatasetItem(path, null, Options.Prompt));
        var missing = Missing().Select(index => new DatasetItem(PathOf(index), Options.SizeOf(index), Options.Prompt));
        return there.Concat(missing).OrderBy(item => item.Path, StringComparer.Ordinal);
    }

    /// <inheritdoc/>
    public IEnumerable<string> Warnings() => Missing() is { Count: > 0 and var count }
        ? [$"{Options.Folder}: {count} of {Options.Count} class images are missing, and are drawn with \"{Options.Prompt}\" when the "
            + "run starts."]
        : [];

    /// <summary>This source with sizes, where it has none.</summary>
    /// <param name="size">The resolution of the data set; null where it has none.</param>
    public ClassImageSource Sized(PixelSize? size) =>
        size is { } given && Options.Sizes.Count == 0 ? new(Options with { Sizes = [given] }) : this;

    /// <summary>The images in the folder.</summary>
    internal IReadOnlyList<string> Present() => Directory.Exists(Options.Folder) ? ImageFiles.In(Options.Folder) : [];

    /// <summary>
    /// The places of pictures that are to be drawn: free ones in order, as many as are missing, so that a run that was interrupted goes on
    /// where it stopped.
    /// </summary>
    internal IReadOnlyList<int> Missing()
    {
        var present = Present().Select(path => Path.GetFileName(path)).ToHashSet(StringComparer.Ordinal);
        return [.. Enumerable.Range(0, Options.Count).Where(index => !present.Contains(Options.NameOf(index)))
            .Take(Options.Count - present.Count)];
    }

    /// <summary>The file of a picture.</summary>
    internal string PathOf(int index) => Path.Combine(Options.Folder!, Options.NameOf(index));
}

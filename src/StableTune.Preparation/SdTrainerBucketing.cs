using System.Collections.Concurrent;
using System.Text.Json;
using StableTune.Data;
using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>
/// Sorts a folder of images into sizes as sd-trainer does: writes each, resized and cut, as PNG, and <c>buckets.json</c> with the names by
/// size.
/// </summary>
public static class SdTrainerBucketing
{
    /// <summary>Resizes all images and writes the list.</summary>
    /// <param name="options">Where from, where to, and how.</param>
    /// <param name="progress">Counts images.</param>
    /// <param name="cancellationToken">Ends the work; images that were written stay, the list is not.</param>
    /// <returns>How many images were sorted, and those that could not be.</returns>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    public static PreparationReport Run(SdTrainerBucketingOptions options, IProgress<WorkProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        InvalidOptionsException.ThrowIfAny(options.Validate());
        var sorted = new ConcurrentDictionary<string, (PixelSize Image, PixelSize Chosen)>(StringComparer.Ordinal);
        var images = ImageFiles.In(options.Source!);
        var doubles = ImageFiles.Doubles(images);
        var results = images.Select(path => Path.Combine(options.Destination!, Stem(path) + ".png"))
            .Append(Path.Combine(options.Destination!, SdTrainerSource.ListName));
        ExistingResults.ThrowIfAny("SdTrainerBucketingOptions.Destination", options.Destination!, results, options.Overwrite, keep: null);
        var report = FolderWork.Run(images, "sorting into buckets", path => Sort(path, options, doubles, sorted), progress,
            cancellationToken)
            .And(ImageFiles.LeftOut(options.Source!));
        var names = images.Except(doubles).Select(Stem).Where(sorted.ContainsKey).ToLookup(name => sorted[name].Chosen);
        Write(Path.Combine(options.Destination!, SdTrainerSource.ListName),
            options.Buckets.Sizes(new(options.Resolution, options.Resolution)), names);
        return report.With(sorted.Values);
    }

    private static string Stem(string path) => Path.GetFileNameWithoutExtension(path);

    private static IEnumerable<SkippedFile> Sort(string path, SdTrainerBucketingOptions options, IReadOnlySet<string> doubles,
        ConcurrentDictionary<string, (PixelSize Image, PixelSize Chosen)> sorted)
    {
        if (doubles.Contains(path)) return [ImageFiles.Double(path)];
        var image = ImageFile.Load(path);
        var (resized, left, top, size) = options.Buckets.Frame(image.Size, new(options.Resolution, options.Resolution));
        if (resized.Width < size.Width || resized.Height < size.Height)
            return [new(path, $"the image, {image.Size}, is too narrow to be cut to {size}")];
        var cut = ImageResize.Resize(image, resized.Width, resized.Height, Interpolation.PillowBicubic)
            .Crop(left, top, size.Width, size.Height);
        ImageFile.SavePng(Path.Combine(options.Destination!, Stem(path) + ".png"), cut);
        sorted[Stem(path)] = (image.Size, size);
        return [];
    }

    /// <summary>Sizes without images are left out; the keys are Python's texts of a pair.</summary>
    private static void Write(string path, IReadOnlyList<PixelSize> sizes, ILookup<PixelSize, string> names) =>
        AtomicFile.Write(path, stream =>
    {
        using var writer = new Utf8JsonWriter(stream, JsonText.IndentedWriting);
        writer.WriteStartObject();
        foreach (var size in sizes.Where(names.Contains))
        {
            writer.WriteStartArray($"({size.Width}, {size.Height})");
            foreach (var name in names[size]) writer.WriteStringValue(name);
            writer.WriteEndArray();
        }

        writer.WriteEndObject();
    });
}

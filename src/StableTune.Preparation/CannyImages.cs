using StableTune.Data;
using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>
/// Makes control images of edges: for <c>cat.jpg</c> a <c>cat.png</c> of the same size, white edges on black in three equal channels. The
/// folder they are written into serves as <see cref="SubsetOptions.ConditioningFolder"/>.
/// </summary>
public static class CannyImages
{
    /// <summary>Makes the images, with all cores.</summary>
    /// <param name="options">Where from, where to, and how.</param>
    /// <param name="progress">Counts images.</param>
    /// <param name="cancellationToken">Ends the work; complete files stay.</param>
    /// <returns>How many images were dealt with, and what was left out.</returns>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    public static PreparationReport Run(CannyOptions options, IProgress<WorkProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        InvalidOptionsException.ThrowIfAny(options.Validate());
        var images = ImageFiles.In(options.Source!);
        var doubles = ImageFiles.Doubles(images);
        ExistingResults.ThrowIfAny("CannyOptions.Destination", options.Destination!, images.Select(path => Target(path, options)),
            options.Overwrite, options.KeepExisting);
        return FolderWork.Run(images, "finding edges", path => Edges(path, options, doubles), progress, cancellationToken)
            .And(ImageFiles.LeftOut(options.Source!));
    }

    private static string Target(string path, CannyOptions options) =>
        Path.Combine(options.Destination!, Path.GetFileNameWithoutExtension(path) + ".png");

    private static IEnumerable<SkippedFile> Edges(string path, CannyOptions options, IReadOnlySet<string> doubles)
    {
        if (doubles.Contains(path)) return [ImageFiles.Double(path)];
        var target = Target(path, options);
        if (!options.Overwrite && File.Exists(target)) return [SkippedFile.There(target)];
        var image = ImageFile.Load(path, new() { ApplyExifOrientation = options.ApplyExifOrientation });
        ImageFile.SavePng(target, ImageEdges.Canny(image, options.LowThreshold, options.HighThreshold));
        return [];
    }
}

using StableTune.Data;
using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>
/// Makes masks of the images of a folder with a model: for <c>cat.jpg</c> a <c>cat.png</c> of the same size, white where the image counts.
/// The folder serves as <see cref="SubsetOptions.ConditioningFolder"/> with <see cref="LossMask.Conditioning"/>.
/// </summary>
public static class MaskMaking
{
    /// <summary>Makes the masks. Images are read ahead on other threads; the model is called on this one.</summary>
    /// <param name="options">Where from, where to, and how.</param>
    /// <param name="masks">Makes masks.</param>
    /// <param name="progress">Counts images.</param>
    /// <param name="cancellationToken">Ends the work between batches; complete files stay.</param>
    /// <returns>How many images have a new mask, and those that were left out.</returns>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    /// <exception cref="InvalidOperationException">The source of masks does not answer once for each image.</exception>
    public static PreparationReport Run(MaskMakingOptions options, IMaskSource masks, IProgress<WorkProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(masks);
        InvalidOptionsException.ThrowIfAny(options.Validate());
        var images = ImageFiles.In(options.Source!);
        var doubles = ImageFiles.Doubles(images);
        ExistingResults.ThrowIfAny("MaskMakingOptions.Destination", options.Destination!, images.Select(Target), options.Overwrite,
            options.KeepExisting);
        var leftOut = images.Select(LeftOut).OfType<SkippedFile>().ToList();
        return new PictureWork<PixelImage?>([.. images.Where(path => LeftOut(path) is null)], "making masks")
        {
            BatchSize = options.BatchSize,
            Workers = options.Workers,
            ApplyExifOrientation = options.ApplyExifOrientation,
            Ask = masks.Masks,
            Keep = Keep,
        }.Run(progress, cancellationToken).And([.. ImageFiles.LeftOut(options.Source!), .. leftOut]);

        string Target(string path) => Path.Combine(options.Destination!, Path.GetFileNameWithoutExtension(path) + ".png");

        SkippedFile? LeftOut(string path) => doubles.Contains(path) ? ImageFiles.Double(path) : !options.Overwrite
            && File.Exists(Target(path)) ? SkippedFile.There(Target(path)) : null;

        IEnumerable<SkippedFile> Keep(ShownImage shown, PixelImage? mask)
        {
            var (path, image) = (shown.Path, shown.Image);
            if (mask is null) return [new(path, "nothing was found in it")];
            if (mask.Size != image.Size) return [new(path, $"the mask is {mask.Size}, but the image {image.Size}")];
            ImageFile.SavePng(Target(path), Gray(mask));
            return [];
        }
    }

    /// <summary>The red channel in all three.</summary>
    private static PixelImage Gray(PixelImage mask)
    {
        var gray = new PixelImage(mask.Width, mask.Height);
        for (int i = 0, at = 0; i < gray.Pixels.Length; i += 3, at += mask.Channels) gray.Pixels.AsSpan(i, 3).Fill(mask.Pixels[at]);
        return gray;
    }
}

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
        return new ModelFolderWork<PixelImage?>(options, "making masks", ".png") { Ask = masks.Masks, Write = Write }
            .Run(progress, cancellationToken);
    }

    private static string? Write(string target, ShownImage picture, PixelImage? mask)
    {
        if (mask is null) return "nothing was found in it";
        if (mask.Size != picture.Size) return $"the mask is {mask.Size}, but the image {picture.Size}";
        ImageFile.SavePng(target, Gray(mask));
        return null;
    }

    /// <summary>The red channel in all three.</summary>
    private static PixelImage Gray(PixelImage mask)
    {
        var gray = new PixelImage(mask.Width, mask.Height);
        for (int i = 0, at = 0; i < gray.Pixels.Length; i += 3, at += mask.Channels) gray.Pixels.AsSpan(i, 3).Fill(mask.Pixels[at]);
        return gray;
    }
}

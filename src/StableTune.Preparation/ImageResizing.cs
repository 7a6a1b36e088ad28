using StableTune.Data;
using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>
/// Makes smaller copies of the images of a folder, one for each of several sizes: <c>cat.png</c> becomes <c>cat+512x512.jpg</c>.
/// </summary>
/// <remarks>Each copy is made from the original; the reference makes each from the one before.</remarks>
public static class ImageResizing
{
    /// <summary>Makes the copies, with all cores.</summary>
    /// <param name="options">Where from, where to, and how.</param>
    /// <param name="progress">Counts images.</param>
    /// <param name="cancellationToken">Ends the work; complete files stay.</param>
    /// <returns>How many images were dealt with, and what was left out.</returns>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    public static PreparationReport Run(ImageResizingOptions options, IProgress<WorkProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        InvalidOptionsException.ThrowIfAny(options.Validate());
        var images = ImageFiles.In(options.Source!);
        ExistingResults.ThrowIfAny("ImageResizingOptions.Destination", options.Destination!,
            images.SelectMany(path => options.Sizes.SelectMany(limit => Results(path, limit, options))), options.Overwrite,
                options.KeepExisting);
        return FolderWork.Run(images, "resizing", path => Copies(path, options), progress, cancellationToken)
            .And(ImageFiles.LeftOut(options.Source!));
    }

    /// <summary>The size of a copy before and after it is cut.</summary>
    internal static Framing Frame(PixelSize image, PixelSize limit, int divisibleBy)
    {
        var resized = image;
        if (image.Area > limit.Area)
        {
            var scale = Math.Sqrt((double)limit.Area / image.Area);
            resized = new(Math.Max(1, (int)(image.Width * scale)), Math.Max(1, (int)(image.Height * scale)));
        }

        return FixedResolution.Middle(resized,
            new(resized.Width - (resized.Width % divisibleBy), resized.Height - (resized.Height % divisibleBy)));
    }

    private static string Stem(string path, PixelSize limit, ImageResizingOptions options) =>
        Path.Combine(options.Destination!, $"{Path.GetFileNameWithoutExtension(path)}+{limit}");

    private static string Target(string path, PixelSize limit, ImageResizingOptions options) => Stem(path, limit, options)
        + (options.SaveAsPng ? ".png" : ".jpg");

    /// <summary>All files that are written for an image and a size.</summary>
    private static IEnumerable<string> Results(string path, PixelSize limit, ImageResizingOptions options) =>
        options.CopyAssociatedFiles ? Associated(path).Select(file => Stem(path, limit, options) + Path.GetExtension(file))
            .Prepend(Target(path, limit, options))
            : [Target(path, limit, options)];

    private static IEnumerable<SkippedFile> Copies(string path, ImageResizingOptions options)
    {
        var image = ImageFile.Load(path, new() { ApplyExifOrientation = options.ApplyExifOrientation, MaxPixels = options.MaxPixels });
        foreach (var limit in options.Sizes)
        {
            var (stem, target) = (Stem(path, limit, options), Target(path, limit, options));
            var framing = Frame(image.Size, limit, options.DivisibleBy);
            if (framing.Size.Width == 0 || framing.Size.Height == 0)
                yield return new(path, $"nothing of it is left at {limit} in multiples of {options.DivisibleBy}");
            else if (!options.Overwrite && File.Exists(target)) yield return SkippedFile.There(target);
            else
            {
                var copy = ImageResize.Resize(image, framing.Resized.Width, framing.Resized.Height, options.Interpolation)
                    .Crop(framing.Left, framing.Top, framing.Size.Width, framing.Size.Height);
                if (options.SaveAsPng) ImageFile.SavePng(target, copy);
                else ImageFile.SaveJpeg(target, copy, quality: 100);
            }

            if (options.CopyAssociatedFiles) CopyAssociated(path, stem, options.Overwrite);
        }
    }

    private static void CopyAssociated(string path, string stem, bool overwrite)
    {
        foreach (var file in Associated(path).Where(file => overwrite || !File.Exists(stem + Path.GetExtension(file))))
            AtomicFile.Write(stem + Path.GetExtension(file), target =>
            {
                using var source = File.OpenRead(file);
                source.CopyTo(target);
            });
    }

    /// <summary>The files beside an image that have its name and are no images.</summary>
    private static IEnumerable<string> Associated(string path)
    {
        var stem = Path.GetFileNameWithoutExtension(path);
        return FolderFiles.In(Path.GetDirectoryName(path)!).Where(file => Path.GetFileNameWithoutExtension(file) == stem
            && !ImageFiles.IsImage(file, ImageFiles.Extensions));
    }
}

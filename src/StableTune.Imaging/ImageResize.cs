namespace StableTune.Imaging;

/// <summary>Resizing of whole pictures.</summary>
public static class ImageResize
{
    /// <summary>Resizes to exactly the given size; the aspect ratio is not kept.</summary>
    /// <param name="image">The picture; with alpha, Pillow's filters weigh colours by it, OpenCV's do not.</param>
    /// <param name="width">Columns of the result, at least 1.</param>
    /// <param name="height">Rows of the result, at least 1.</param>
    /// <param name="interpolation">How; null chooses <see cref="Interpolation.Area"/> where no side grows and
    /// <see cref="Interpolation.Lanczos"/> otherwise, as sd-scripts does.</param>
    /// <returns>A new picture; the picture itself when it has the size already.</returns>
    /// <exception cref="ArgumentException">A size is out of range.</exception>
    public static PixelImage Resize(PixelImage image, int width, int height, Interpolation? interpolation = null)
    {
        ArgumentNullException.ThrowIfNull(image);
        if (width < 1 || height < 1)
            throw new ArgumentException($"a picture cannot be resized to {width}x{height}: both sides must be at least 1", nameof(width));
        if (width == image.Width && height == image.Height) return image;
        interpolation ??= Interpolation.For(image.Size, new(width, height));
        return interpolation.Resize(image, width, height);
    }

    /// <summary>Resizes and cuts; only the wanted part is computed where the filter can.</summary>
    internal static PixelImage ResizePart(PixelImage image, ImageFit fit)
    {
        if (image.Size == fit.Resized)
            return fit.Size == image.Size ? image : image.Crop(fit.Left, fit.Top, fit.Size.Width, fit.Size.Height);
        var interpolation = fit.Interpolation ?? Interpolation.For(image.Size, fit.Resized);
        return interpolation.ResizePart(image, fit);
    }
}

using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>From image files to what the model sees.</summary>
internal static class ImagePreparation
{
    /// <summary>Reads one image as it is without augmentation.</summary>
    /// <exception cref="InvalidFileException">As for the other form.</exception>
    internal static PixelImage Load(TrainingSample sample) => Load(sample, ImageDraw.Plain(sample));

    /// <summary>Reads, resizes, cuts and changes one image.</summary>
    /// <returns>A picture of the sample's training size; with alpha where that is its mask.</returns>
    /// <exception cref="InvalidFileException">The file cannot be decoded, or it is not the one that the data set was built
    /// from.</exception>
    internal static PixelImage Load(TrainingSample sample, ImageDraw draw)
    {
        var image = Read(sample, sample.Path, draw, keepAlpha: sample.Subset.Mask == LossMask.Alpha);
        if (draw.Color is { } change) image = change(image);
        return draw.Flip ? image.FlipHorizontal() : image;
    }

    /// <summary>Reads the sample's second image, resized, cut, turned and mirrored with the first.</summary>
    /// <exception cref="InvalidFileException">As for <see cref="Load(TrainingSample, ImageDraw)"/>; or it has another size than the
    /// image.</exception>
    internal static PixelImage LoadConditioning(TrainingSample sample, ImageDraw draw)
    {
        var image = Read(sample, sample.Item.ConditioningPath!, draw, keepAlpha: false);
        return draw.Flip ? image.FlipHorizontal() : image;
    }

    private static PixelImage Read(TrainingSample sample, string path, ImageDraw draw, bool keepAlpha)
    {
        try
        {
            // Second images mean what they hold, and are not put on a background.
            var how = sample.Dataset.Loading with { KeepAlpha = keepAlpha, Background = path == sample.Path ? sample.Dataset.Background
                : null };
            var image = sample.Item.Image is { } source && path == sample.Path ? Resized(sample, source.Load(how), draw.Framing)
                : ImageFile.LoadResized(path, size => size == sample.ImageSize ? Fit(draw.Framing, sample.Interpolation)
                    : throw OfAnotherSize(sample, path, size), how);
            return draw.Rotation == 0 ? image : ImageRotation.Rotate(image, draw.Rotation);
        }
        catch (Exception e) when (e is not InvalidFileException)
        {
            throw new InvalidFileException(path, $"the image cannot be prepared: {e.Message}", "Check the file, or leave it out.", e);
        }
    }

    /// <summary>A host's picture, resized and cut.</summary>
    private static PixelImage Resized(TrainingSample sample, PixelImage image, Framing framing)
    {
        if (image.Size != sample.ImageSize) throw OfAnotherSize(sample, sample.Path, image.Size);
        var (resized, left, top, size) = framing;
        return ImageResize.Resize(image, resized.Width, resized.Height, sample.Interpolation).Crop(left, top, size.Width, size.Height);
    }

    private static ImageFit Fit(Framing framing, Interpolation? interpolation) =>
        new(framing.Resized, framing.Left, framing.Top, framing.Size, interpolation);

    private static InvalidFileException OfAnotherSize(TrainingSample sample, string path, PixelSize size) => path == sample.Path
        ? new(path, $"the image is {size}, but {sample.ImageSize} was expected.",
            "It changed since the data set was built, or its source gave a wrong size: build the data set again.")
        : new(path, $"the image is {size}, but {sample.Path}, to which it belongs, is {sample.ImageSize}.", "Give both the same size.");
}

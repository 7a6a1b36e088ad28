using System.Runtime.InteropServices;
using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>From image files to what the model sees.</summary>
internal static class ImagePreparation
{
    /// <summary>Reads, resizes and cuts one image.</summary>
    /// <returns>A picture of the sample's training size.</returns>
    /// <exception cref="InvalidFileException">The file cannot be decoded, or it is not the one that the data set was built from.</exception>
    internal static PixelImage Load(TrainingSample sample)
    {
        try
        {
            var options = sample.Dataset;
            var image = ImageFile.Load(sample.Path, new ImageLoadOptions { ApplyExifOrientation = options.ApplyExifOrientation, Codec = options.Codec });
            if (image.Size != sample.ImageSize)
                throw new InvalidFileException(sample.Path, $"the image is {image.Size}, but {sample.ImageSize} was expected.",
                    "It changed since the data set was built, or its source gave a wrong size: build the data set again.");
            var (resized, left, top, size) = sample.Framing;
            image = ImageResize.Resize(image, resized.Width, resized.Height, options.Interpolation, options.Codec);
            return image.Crop(left, top, size.Width, size.Height);
        }
        catch (Exception e) when (e is not InvalidFileException)
        {
            throw new InvalidFileException(sample.Path, $"the image cannot be prepared: {e.Message}", "Check the file, or leave it out.", e);
        }
    }

    /// <summary>Reads images of one training size.</summary>
    /// <returns>[B, 3, H, W], float32 in [-1, 1], in the caller's dispose scope.</returns>
    internal static Tensor LoadPixels(IReadOnlyList<TrainingSample> samples, CancellationToken cancellationToken)
    {
        var size = samples[0].Framing.Size;
        using var scope = NewDisposeScope();
        var pixels = empty([samples.Count, 3, size.Height, size.Width], dtype: ScalarType.Float32);
        var length = 3 * size.Height * size.Width;
        for (var i = 0; i < samples.Count; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Load(samples[i]).ToFloats(MemoryMarshal.Cast<byte, float>(pixels.bytes).Slice(i * length, length));
        }

        return pixels.MoveToOuterDisposeScope();
    }
}

using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>Chooses what happens to the colours of an image.</summary>
internal static class ColorChange
{
    /// <summary>sd-scripts changes one image in three.</summary>
    private const double WeakShare = 0.33;

    /// <summary>8 of the 180 steps that OpenCV divides the circle of hues into.</summary>
    private const double WeakHue = 16;

    private const double WeakGamma = 0.05;

    /// <summary>The changes one after the other; null for none.</summary>
    /// <param name="options">What is wanted.</param>
    /// <param name="random">The stream of a purpose.</param>
    internal static Func<PixelImage, PixelImage>? Choose(AugmentationOptions options, Func<string, RandomStream> random)
    {
        var changes = new List<Func<PixelImage, PixelImage>>();
        if (options.Color != ColorAugmentation.None && Weak(options.Color, random("color")) is { } weak) changes.Add(weak);
        if (options.Brightness > 0 && ImageDraw.Around(1, options.Brightness, random("brightness")) is var brightness)
            changes.Add(image => ImageColors.Map(image, value => value * brightness));
        if (options.Contrast > 0 && ImageDraw.Around(1, options.Contrast, random("contrast")) is var contrast)
            changes.Add(image => Mean(image) is var mean ? ImageColors.Map(image, value => mean + ((value - mean) * contrast)) : image);
        if (options.Saturation > 0 && ImageDraw.Around(1, options.Saturation, random("saturation")) is var saturation)
            changes.Add(image => ImageColors.Saturate(image, saturation));
        return changes.Count == 0 ? null : image => changes.Aggregate(image, (changed, change) => change(changed));
    }

    private static Func<PixelImage, PixelImage>? Weak(ColorAugmentation how, RandomStream random)
    {
        if (random.NextDouble() > WeakShare) return null;
        if (ImageDraw.Half(random) && ImageDraw.Around(0, WeakHue, random) is var degrees)
            return image => ImageColors.ShiftHue(image, degrees);
        var exponent = ImageDraw.Around(1, WeakGamma, random);
        return how == ColorAugmentation.Reference ? image => ImageColors.Map(image, value => Math.Pow(value, exponent)) : image =>
            ImageColors.Gamma(image, exponent);
    }

    private static double Mean(PixelImage image)
    {
        var sum = 0L;
        for (var i = 0; i < image.Pixels.Length; i += image.Channels) sum += image.Pixels[i] + image.Pixels[i + 1] + image.Pixels[i + 2];
        return (double)sum / (3L * image.Width * image.Height);
    }
}

using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>From a network's numbers to masks.</summary>
internal static class OnnxMasks
{
    /// <summary>The means and deviations of ImageNet.</summary>
    internal static PixelScaling ImageNet { get; } = PixelScaling.Of((0.485f, 0.456f, 0.406f), (0.229f, 0.224f, 0.225f));

    /// <summary>A mask in the size of its image.</summary>
    /// <param name="shares">How much each place counts, in [0, 1], [height, width].</param>
    /// <param name="size">The size of the shares.</param>
    /// <param name="image">The size of the image.</param>
    /// <param name="interpolation">How it is resized.</param>
    /// <param name="threshold">From which share on a place counts wholly, and below not at all; null leaves shares.</param>
    internal static PixelImage Of(float[] shares, PixelSize size, PixelSize image, Interpolation interpolation, float? threshold)
    {
        var small = new PixelImage(size.Width, size.Height);
        for (var i = 0; i < shares.Length; i++) small.Pixels.AsSpan(3 * i, 3).Fill((byte)((shares[i] * 255) + 0.5f));
        var mask = ImageResize.Resize(small, image.Width, image.Height, interpolation);
        if (threshold is { } least)
            foreach (ref var value in mask.Pixels.AsSpan()) value = value >= least * 255 ? (byte)255 : (byte)0;
        return mask;
    }

    /// <summary>The size of a network's masks: the last two sides of its output.</summary>
    /// <exception cref="InvalidOperationException">The output is no picture of one channel.</exception>
    internal static PixelSize SizeOf(OnnxModel model, PictureOutput output)
    {
        var sides = output.Shape;
        if (sides.Count >= 2 && sides[^1] > 0 && sides[^2] > 0 && sides.SkipLast(2).All(side => side == 1))
            return new(sides[^1], sides[^2]);
        throw new InvalidOperationException($"{model.Path}: its output is [{string.Join(", ", sides)}] for an image, and no mask [H, W]. "
            + "Take a model that gives one mask for each image.");
    }

    internal static void Sigmoid(Span<float> values)
    {
        foreach (ref var value in values) value = 1 / (1 + MathF.Exp(-value));
    }

    /// <summary>Images resized to what a network takes, on all cores.</summary>
    internal static PixelImage[] Resized(IReadOnlyList<PixelImage> images, PictureInput input, int usual, Interpolation interpolation)
    {
        var resized = new PixelImage[images.Count];
        Parallel.For(0, resized.Length, i => resized[i] = ImageResize.Resize(images[i].Over(PixelColor.White), input.Width ?? usual,
            input.Height ?? usual, interpolation));
        return resized;
    }
}

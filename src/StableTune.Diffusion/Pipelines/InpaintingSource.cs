using StableTune.Imaging;

namespace StableTune;

/// <summary>
/// What is painted into: by an inpainting model, which sees the picture, or by any other, which draws a whole picture of which the rest is
/// put back after each step.
/// </summary>
/// <param name="Image">The picture, of the size that is drawn.</param>
/// <param name="Mask">White (128 and above) where the model paints, black where the picture stays; of the same size, its red channel
/// counts.</param>
public sealed record InpaintingSource(PixelImage Image, PixelImage Mask)
{
    /// <summary>The picture in -1 ... 1, [1, 3, H, W], and the mask in 0 ... 1, [1, 1, H, W]; float32.</summary>
    internal (Tensor Pixels, Tensor Mask) ToTensors()
    {
        using var scope = NewDisposeScope();
        var mask = (Floats(Mask).narrow(1, 0, 1) + 1) * 0.5;
        return (Floats(Image).MoveToOuterDisposeScope(), mask.MoveToOuterDisposeScope());
    }

    /// <summary>A picture in -1 ... 1, [1, 3, H, W], float32.</summary>
    internal static Tensor Floats(PixelImage image)
    {
        var values = new float[3 * image.Width * image.Height];
        image.ToFloats(values);
        return tensor(values, [1, 3, image.Height, image.Width], dtype: ScalarType.Float32);
    }
}

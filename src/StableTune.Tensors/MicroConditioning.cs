using StableTune.Imaging;

namespace StableTune.Tensors;

/// <summary>What SDXL is told of a picture's sizes, in pixels: micro-conditioning.</summary>
/// <remarks>Podell et al., SDXL, arXiv:2307.01952, section 2.2.</remarks>
/// <param name="Original">The picture's size before any resizing.</param>
/// <param name="CropLeft">What counts as cut off at the left.</param>
/// <param name="CropTop">What counts as cut off at the top.</param>
/// <param name="Target">The size it is trained at.</param>
public readonly record struct MicroConditioning(PixelSize Original, int CropLeft, int CropTop, PixelSize Target)
{
    /// <summary>
    /// The sizes as sd-scripts tells them, by the convention of Stability's own training: the crop is what is missing between the
    /// picture, scaled to fit
    /// into the training size, and that size. It is computed from sizes alone and does not say what was really cut off.
    /// </summary>
    /// <param name="original">The picture's size.</param>
    /// <param name="target">Its training size.</param>
    /// <param name="flipped">Whether left and right are exchanged.</param>
    public static MicroConditioning Of(PixelSize original, PixelSize target, bool flipped = false)
    {
        var (left, top, right, _) = Edges(original, target);
        // After flipping, what was the distance from the right edge is that from the left one.
        return new MicroConditioning(original, (int)(flipped ? target.Width - right : left), (int)top, target);
    }

    /// <summary>The sizes of a picture that is whole and was never larger.</summary>
    /// <param name="size">Its size.</param>
    public static MicroConditioning Whole(PixelSize size) => new(size, 0, 0, size);

    /// <summary>The sizes of a batch as the UNet takes them: original height and width, crop top and left, target height and
    /// width.</summary>
    /// <param name="sizes">One a sample.</param>
    /// <param name="device">Where the UNet is.</param>
    /// <returns>[B, 6], float32.</returns>
    public static Tensor TimeIds(IEnumerable<MicroConditioning> sizes, Device? device = null)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        float[] numbers = [.. sizes.SelectMany(size => new float[]
        {
            size.Original.Height, size.Original.Width, size.CropTop, size.CropLeft, size.Target.Height, size.Target.Width,
        })];
        return tensor(numbers, [numbers.Length / 6, 6], dtype: ScalarType.Float32, device: device);
    }

    /// <summary>Left, top, right and bottom edge of the scaled picture within the training size, as files of latents hold them.</summary>
    internal static double[] CropEdges(PixelSize original, PixelSize target)
    {
        var (left, top, right, bottom) = Edges(original, target);
        return [left, top, right, bottom];
    }

    private static (double Left, double Top, double Right, double Bottom) Edges(PixelSize original, PixelSize target)
    {
        var aspect = (double)original.Width / original.Height;
        var (width, height) = (double)target.Width / target.Height > aspect
            ? (target.Height * aspect, (double)target.Height)
            : (target.Width, target.Width / aspect);
        var (left, top) = (Math.Floor((target.Width - width) / 2), Math.Floor((target.Height - height) / 2));
        return (left, top, left + width, top + height);
    }
}

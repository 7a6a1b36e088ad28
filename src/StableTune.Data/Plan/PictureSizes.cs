using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>What a model that is conditioned on sizes (SDXL) is told of a picture, in pixels.</summary>
/// <param name="Original">The picture's size before any resizing.</param>
/// <param name="CropLeft">What counts as cut off at the left.</param>
/// <param name="CropTop">What counts as cut off at the top.</param>
/// <param name="Target">The size it is trained at.</param>
public readonly record struct PictureSizes(PixelSize Original, int CropLeft, int CropTop, PixelSize Target)
{
    /// <summary>
    /// The sizes as sd-scripts tells them, by the convention of Stability's own training: the crop is what is missing between the picture, scaled to fit
    /// into the training size, and that size. It is computed from sizes alone and does not say what was really cut off.
    /// </summary>
    /// <param name="original">The picture's size.</param>
    /// <param name="target">Its training size.</param>
    /// <param name="flipped">Whether left and right are exchanged.</param>
    public static PictureSizes Of(PixelSize original, PixelSize target, bool flipped = false)
    {
        var (left, top, right, _) = Edges(original, target);
        // After flipping, what was the distance from the right edge is that from the left one.
        return new PictureSizes(original, (int)(flipped ? target.Width - right : left), (int)top, target);
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

using StableTune.Data;
using StableTune.Imaging;

namespace StableTune;

/// <summary>
/// One size for all images: each is scaled until it covers the size, keeping its shape, and cut in the middle.
/// (sd-scripts without buckets scales only when it caches latents, and otherwise refuses images of another size.)
/// </summary>
/// <param name="Size">Width and height, multiples of 8.</param>
public sealed record FixedResolution(PixelSize Size) : IBucketing
{
    /// <inheritdoc/>
    public bool HasBuckets => false;

    /// <inheritdoc/>
    public IEnumerable<OptionProblem> Validate() => [];

    /// <inheritdoc/>
    public Framing Frame(PixelSize image) => Cover(image, Size);

    /// <summary>Scales an image until it covers a size, and cuts the middle.</summary>
    /// <param name="image">The image's size.</param>
    /// <param name="target">The size to cover.</param>
    internal static Framing Cover(PixelSize image, PixelSize target)
    {
        // Comparing aspect ratios in double precision and rounding half up is the reference's arithmetic.
        var wider = (double)image.Width / image.Height > (double)target.Width / target.Height;
        var scale = wider ? (double)target.Height / image.Height : (double)target.Width / image.Width;
        var resized = new PixelSize((int)((image.Width * scale) + 0.5), (int)((image.Height * scale) + 0.5));
        return new(resized, (resized.Width - target.Width) / 2, (resized.Height - target.Height) / 2, target);
    }
}

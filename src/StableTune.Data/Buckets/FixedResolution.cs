using StableTune.Data;
using StableTune.Imaging;

namespace StableTune;

/// <summary>How an image comes to a size of another shape.</summary>
public enum ResizeMode
{
    /// <summary>Scaled until it covers the size, keeping its shape, and cut: what sd-scripts does.</summary>
    Cover,

    /// <summary>Scaled to exactly this size, whatever that does to its shape: what ppdiffusers does.</summary>
    Squash,

    /// <summary>The shorter side is scaled to the shorter side of the size, the longer rounded down, and cut: what diffusers' scripts
    /// do.</summary>
    ShortSide,
}

/// <summary>
/// One size for all images, the data set's resolution, cut in the middle. (sd-scripts without buckets scales only when it caches
/// latents, and otherwise refuses images of another size.)
/// </summary>
public sealed record FixedResolution : IBucketing
{
    /// <summary>How images of another shape come to the size. Default <see cref="ResizeMode.Cover"/>.</summary>
    public ResizeMode Mode { get; init; }

    /// <inheritdoc/>
    public bool HasBuckets => false;

    /// <inheritdoc/>
    public IEnumerable<OptionProblem> Validate(PixelSize resolution) =>
        Mode == ResizeMode.ShortSide && resolution.Width != resolution.Height
        ? [new OptionProblem("FixedResolution.Mode", Mode, "scaling by the shorter side fits square sizes only",
            "use ResizeMode.Cover, or a square resolution")]
        : [];

    /// <inheritdoc/>
    public Framing Frame(PixelSize image, PixelSize resolution) => Mode switch
    {
        ResizeMode.Squash => new(resolution, 0, 0, resolution),
        ResizeMode.ShortSide => ByShortSide(image, resolution),
        _ => Cover(image, resolution),
    };

    /// <summary>Scales an image until it covers a size, and cuts the middle.</summary>
    /// <param name="image">The image's size.</param>
    /// <param name="target">The size to cover.</param>
    internal static Framing Cover(PixelSize image, PixelSize target)
    {
        // Comparing aspect ratios in double precision and rounding half up is the reference's arithmetic.
        var wider = (double)image.Width / image.Height > (double)target.Width / target.Height;
        var scale = wider ? (double)target.Height / image.Height : (double)target.Width / image.Width;
        return Middle(new((int)((image.Width * scale) + 0.5), (int)((image.Height * scale) + 0.5)), target);
    }

    /// <summary>Cuts the middle out of a resized image; an odd remainder goes to the right and to the bottom.</summary>
    internal static Framing Middle(PixelSize resized, PixelSize target) =>
        new(resized, (resized.Width - target.Width) / 2, (resized.Height - target.Height) / 2, target);

    private static Framing ByShortSide(PixelSize image, PixelSize target)
    {
        var (side, wide) = (target.Width, image.Width >= image.Height);
        var longer = (int)((double)side * Math.Max(image.Width, image.Height) / Math.Min(image.Width, image.Height));
        return Middle(wide ? new(longer, side) : new(side, longer), target);
    }
}

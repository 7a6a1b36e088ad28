using StableTune.Data;
using StableTune.Imaging;

namespace StableTune;

/// <summary>
/// Sizes of about the area of the resolution in many shapes; each image gets the one nearest to its own shape. The sizes, the choice
/// and the rounding are those of sd-scripts.
/// </summary>
public sealed record AspectBuckets : IBucketing
{
    /// <summary>The shortest side of a size in pixels, rounded down to a multiple of <see cref="Step"/>. Default 256.</summary>
    public int MinSide { get; init; } = 256;

    /// <summary>The longest side of a size in pixels, rounded up to a multiple of <see cref="Step"/>. Default 1024.</summary>
    public int MaxSide { get; init; } = 1024;

    /// <summary>Sides are multiples of this, itself a multiple of 8. Default 64; SDXL takes 32 too.</summary>
    public int Step { get; init; } = 64;

    /// <summary>
    /// Whether images are never enlarged: sizes are then made from the images, <see cref="MinSide"/> and <see cref="MaxSide"/> do not
    /// count, and images below the area of the resolution are only cut to multiples of <see cref="Step"/>.
    /// </summary>
    public bool NoUpscale { get; init; }

    /// <inheritdoc/>
    public bool HasBuckets => true;

    private int Shortest => MinSide / Step * Step;

    private int Longest => (MaxSide + Step - 1) / Step * Step;

    /// <inheritdoc/>
    public IEnumerable<OptionProblem> Validate(PixelSize resolution)
    {
        if (Step < 8 || Step % 8 != 0)
        {
            yield return Problem(nameof(Step), Step, "the step must be a multiple of 8, the scale of latents",
                "64 is customary, 32 for SDXL");
            yield break;
        }

        if (NoUpscale) yield break;
        if (MinSide < Step)
            yield return Problem(nameof(MinSide), MinSide, $"the shortest side must be at least one step ({Step})", "256 is customary");
        else if (Shortest > Math.Min(resolution.Width, resolution.Height))
            yield return Problem(nameof(MinSide), MinSide, $"the shortest side must not be above those of the resolution ({resolution})",
                "lower it, or raise the resolution");
        if (MaxSide > 1 << 20 || Longest < Math.Max(resolution.Width, resolution.Height))
            yield return Problem(nameof(MaxSide), MaxSide, $"the longest side must not be below those of the resolution ({resolution})",
                "raise it, or lower the resolution");
    }

    /// <inheritdoc/>
    public IEnumerable<string> Warnings(PixelSize resolution)
    {
        if (NoUpscale)
        {
            var (usual, unused) = (new AspectBuckets(), "has no effect with NoUpscale, where sizes are made from the images.");
            if (MinSide != usual.MinSide) yield return $"AspectBuckets.MinSide is {MinSide}: it {unused}";
            if (MaxSide != usual.MaxSide) yield return $"AspectBuckets.MaxSide is {MaxSide}: it {unused}";
            yield break;
        }

        if (Shortest != MinSide) yield return $"AspectBuckets.MinSide is {MinSide}, no multiple of {Step}: {Shortest} is used.";
        if (Longest != MaxSide) yield return $"AspectBuckets.MaxSide is {MaxSide}, no multiple of {Step}: {Longest} is used.";
    }

    /// <summary>The sizes for a resolution, smallest width first; those of images where <see cref="NoUpscale"/> is set are not among
    /// them.</summary>
    /// <param name="resolution">The training resolution; its area is the limit.</param>
    public IReadOnlyList<PixelSize> Sizes(PixelSize resolution) => Sizes(resolution, Shortest, Longest, Step);

    /// <inheritdoc/>
    public Framing Frame(PixelSize image, PixelSize resolution) =>
        NoUpscale ? Shrunk(image, resolution) : Nearest(image, Sizes(resolution));

    /// <summary>As <see cref="Sizes(PixelSize)"/>, for sides that need not be multiples of the step.</summary>
    internal static IReadOnlyList<PixelSize> Sizes(PixelSize resolution, int shortest, int longest, int step)
    {
        var area = (long)resolution.Width * resolution.Height;
        var side = (int)Math.Sqrt(area) / step * step;
        var sizes = new HashSet<PixelSize> { new(side, side) };
        for (var width = shortest; width <= longest; width += step)
        {
            var height = (int)Math.Min(longest, area / width / step * step);
            if (height < shortest) continue;
            sizes.Add(new(width, height));
            sizes.Add(new(height, width));
        }

        return [.. sizes.OrderBy(size => size.Width).ThenBy(size => size.Height)];
    }

    /// <summary>The image's own size where it is one of them, else the first of the nearest shape.</summary>
    private static Framing Nearest(PixelSize image, IReadOnlyList<PixelSize> sizes)
    {
        var best = sizes[0];
        var aspect = (double)image.Width / image.Height;
        foreach (var size in sizes)
        {
            if (size == image) return new(image, 0, 0, image);
            if (Difference(size) < Difference(best)) best = size;
        }

        return FixedResolution.Cover(image, best);

        double Difference(PixelSize size) => Math.Abs(((double)size.Width / size.Height) - aspect);
    }

    private Framing Shrunk(PixelSize image, PixelSize resolution)
    {
        var resized = WithinArea(image, (long)resolution.Width * resolution.Height);
        PixelSize size = new(Whole(resized.Width), Whole(resized.Height));
        if (size.Width == 0 || size.Height == 0)
            throw new ArgumentException(
                $"the image, {image}, is smaller than one step of {Step} pixels, and images are not to be enlarged");
        return FixedResolution.Middle(resized, size);
    }

    /// <summary>Of the two ways to bring one side to a multiple of the step, the one that keeps the shape better.</summary>
    private PixelSize WithinArea(PixelSize image, long area)
    {
        if ((long)image.Width * image.Height <= area) return image;
        var aspect = (double)image.Width / image.Height;
        var exact = Math.Sqrt(area * aspect);
        var (width1, height2) = (Rounded(exact), Rounded(area / exact));
        var (height1, width2) = (Rounded(width1 / aspect), Rounded(height2 * aspect));
        if (height1 == 0 || height2 == 0)
            throw new ArgumentException($"the image, {image}, would be narrower than one step of {Step} pixels");
        var first = Math.Abs(((double)width1 / height1) - aspect) < Math.Abs(((double)width2 / height2) - aspect);
        return first ? new(width1, (int)((width1 / aspect) + 0.5)) : new((int)((height2 * aspect) + 0.5), height2);
    }

    private int Rounded(double length) => Whole((int)(length + 0.5));

    private int Whole(int length) => length / Step * Step;

    private static OptionProblem Problem(string option, object value, string rule, string remedy) =>
        new($"{nameof(AspectBuckets)}.{option}", value, rule, remedy);
}

using StableTune.Data;
using StableTune.Imaging;

namespace StableTune;

/// <summary>The sizes of sd-trainer's preprocessing: of about the area of the resolution, none longer than <see cref="MaxAspect"/> times
/// its width.</summary>
public sealed record SdTrainerBuckets : IBucketing
{
    private const int Step = 64;

    /// <summary>The shortest width tried, in pixels; heights have no lower limit of their own. Default 512.</summary>
    public int MinSide { get; init; } = 512;

    /// <summary>The longest side in pixels. Default 1024.</summary>
    public int MaxSide { get; init; } = 1024;

    /// <summary>The largest ratio of the sides, at least 1. Default 2.</summary>
    public double MaxAspect { get; init; } = 2;

    /// <inheritdoc/>
    public bool HasBuckets => true;

    /// <inheritdoc/>
    public IEnumerable<OptionProblem> Validate(PixelSize resolution)
    {
        if (resolution.Width != resolution.Height)
            yield return new("DatasetOptions.Resolution", resolution, "sd-trainer's sizes are made from a square",
                "use a square resolution, or AspectBuckets");
        if (MinSide < Step || MinSide % 8 != 0)
            yield return Problem(nameof(MinSide), MinSide, "the side must be a multiple of 8 and at least 64", "512 is customary");
        if (MaxSide < MinSide || MaxSide % 8 != 0 || MaxSide > 1 << 20)
            yield return Problem(nameof(MaxSide), MaxSide, "the side must be a multiple of 8 and at least MinSide", "1024 is customary");
        if (!(MaxAspect >= 1)) yield return Problem(nameof(MaxAspect), MaxAspect, "the ratio must be at least 1", "2 is customary");
    }

    /// <summary>The sizes for a resolution, narrowest shape first.</summary>
    /// <param name="resolution">The training resolution, a square.</param>
    public IReadOnlyList<PixelSize> Sizes(PixelSize resolution)
    {
        var area = (long)resolution.Width * resolution.Width;
        var sizes = new HashSet<PixelSize> { resolution };
        for (var width = MinSide; width <= MaxSide; width += Step)
        {
            var height = (int)Math.Min(MaxSide, area / width / Step * Step);
            if (height < Step || (double)width / height < 1 / MaxAspect || (double)width / height > MaxAspect) continue;
            sizes.Add(new(width, height));
            sizes.Add(new(height, width));
        }

        return [.. sizes.OrderBy(size => (double)size.Width / size.Height)];
    }

    /// <inheritdoc/>
    public Framing Frame(PixelSize image, PixelSize resolution)
    {
        var aspect = (double)image.Width / image.Height;
        var size = Sizes(resolution).MinBy(candidate => Math.Abs(((double)candidate.Width / candidate.Height) - aspect));
        var resized = (double)size.Width / size.Height <= aspect
            ? new PixelSize((int)((long)image.Width * size.Height / (double)image.Height), size.Height)
            : new PixelSize(size.Width, (int)((long)image.Height * size.Width / (double)image.Width));
        // Pillow rounds an edge between two pixels to the even one.
        return new(resized, (int)Math.Round((resized.Width - size.Width) / 2.0), (int)Math.Round((resized.Height - size.Height) / 2.0),
            size);
    }

    private static OptionProblem Problem(string option, object value, string rule, string remedy) =>
        new($"{nameof(SdTrainerBuckets)}.{option}", value, rule, remedy);
}

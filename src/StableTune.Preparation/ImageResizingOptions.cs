using System.Collections.Immutable;
using StableTune.Data;
using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>How the images of a folder are made smaller; sd-scripts' <c>resize_images_to_resolution</c>.</summary>
public sealed record ImageResizingOptions : OptionsBase
{
    /// <summary>The folder of the images, not searched any deeper; required.</summary>
    public string? Source { get; init; }

    /// <summary>The folder to write into; created when missing; required.</summary>
    public string? Destination { get; init; }

    /// <summary>
    /// The sizes, each standing for its area; an image that has no more pixels keeps its size. Default 512x512, 384x384, 256x256, 128x128.
    /// </summary>
    public ImmutableArray<PixelSize> Sizes { get; init; } = [new(512, 512), new(384, 384), new(256, 256), new(128, 128)];

    /// <summary>Sides are cut, in the middle, to multiples of this. Default 1.</summary>
    public int DivisibleBy { get; init; } = 1;

    /// <summary>
    /// The largest image in pixels that is read; larger ones are told as left out. Default 178,956,970; each takes 4 bytes of memory a
    /// pixel.
    /// </summary>
    public long MaxPixels { get; init; } = new ImageLoadOptions().MaxPixels;

    /// <summary>How; null chooses areas when shrinking.</summary>
    public Interpolation? Interpolation { get; init; }

    /// <summary>Whether PNG files are written, otherwise JPEG of quality 100.</summary>
    public bool SaveAsPng { get; init; }

    /// <summary>Whether files of the same name with other extensions (captions, for instance) are copied to each size.</summary>
    public bool CopyAssociatedFiles { get; init; }

    /// <summary>
    /// Whether results that are there already are written again. Without this and <see cref="KeepExisting"/> the tool says so and does not
    /// begin.
    /// </summary>
    public bool Overwrite { get; init; }

    /// <summary>Whether results that are there already stay and their images are left out, as where work was interrupted.</summary>
    public bool KeepExisting { get; init; }

    /// <summary>Whether photographs are turned as their EXIF orientation says. Default true.</summary>
    public bool ApplyExifOrientation { get; init; } = true;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Overwrite && KeepExisting)
            yield return Problem(KeepExisting, "results cannot be both kept and written again", "set one of the two");
        foreach (var problem in FolderRules.OfImages("ImageResizingOptions.Source", Source)) yield return problem;
        foreach (var problem in FolderRules.OfResults("ImageResizingOptions.Destination", Destination)) yield return problem;
        if (Sizes.IsDefaultOrEmpty || Sizes.Any(size => size.Width < 1 || size.Height < 1))
            yield return Problem(Sizes.IsDefault ? null : string.Join(", ", Sizes), "one size at least is required, and no side may be 0",
                "give for instance 512x512", nameof(Sizes));
        if (MaxPixels < 1) yield return Problem(MaxPixels, "the limit must be at least 1 pixel", "leave it unset for the usual one");
        if (DivisibleBy < 1) yield return Problem(DivisibleBy, "sides cannot be multiples of this", "1 cuts nothing, 64 suits buckets");
    }
}

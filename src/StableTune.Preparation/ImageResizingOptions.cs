using System.Collections.Immutable;
using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>How the images of a folder are made smaller; sd-scripts' <c>resize_images_to_resolution</c>.</summary>
public sealed record ImageResizingOptions : ImageFolderOptions
{
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

    private protected override bool MayLieBesideImages => true;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (Sizes.IsDefaultOrEmpty || Sizes.Any(size => size.Width < 1 || size.Height < 1))
            yield return Problem(Sizes.IsDefault ? null : string.Join(", ", Sizes), "one size at least is required, and no side may be 0",
                "give for instance 512x512", nameof(Sizes));
        if (MaxPixels < 1) yield return Problem(MaxPixels, "the limit must be at least 1 pixel", "leave it unset for the usual one");
        if (DivisibleBy < 1) yield return Problem(DivisibleBy, "sides cannot be multiples of this", "1 cuts nothing, 64 suits buckets");
    }
}

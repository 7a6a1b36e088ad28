using StableTune.Data;

namespace StableTune;

/// <summary>Slight changes of colour as sd-scripts' <c>color_aug</c> makes them, to one image in three.</summary>
public enum ColorAugmentation
{
    /// <summary>None.</summary>
    None,

    /// <summary>The hue turned by up to 16 degrees, or each value, as a share of 255, raised to a power within 0.95 and 1.05.</summary>
    Weak,

    /// <summary>As <see cref="Weak"/>, but the power is taken of 0..255 as in sd-scripts, which changes brightness strongly: 255 becomes
    /// 193 or is cut off.</summary>
    Reference,
}

/// <summary>What changes in an image each time it is drawn. Nothing, unless set.</summary>
public sealed record AugmentationOptions : OptionsBase
{
    /// <summary>Mirror left and right in half of the draws. Works with cached latents: both are cached.</summary>
    public bool Flip { get; init; }

    /// <summary>Change colours slightly. Not with cached latents.</summary>
    public ColorAugmentation Color { get; init; }

    /// <summary>Cut at a random place instead of the middle. Not with cached latents.</summary>
    public bool RandomCrop { get; init; }

    /// <summary>
    /// Cut around a face, whose middle and size end the file's name (<c>anna_150_90_40_50.png</c>): the size of the training image as a
    /// multiple of the face's, from..to, such as (2, 4). Only without buckets, and not with cached latents. Null is off.
    /// </summary>
    public (double From, double To)? FaceCrop { get; init; }

    /// <summary>Brightness is multiplied by a number within 1 ± this, 0 to 1. Default 0.</summary>
    public double Brightness { get; init; }

    /// <summary>The distance of values from the image's mean is multiplied by a number within 1 ± this, 0 to 1. Default 0.</summary>
    public double Contrast { get; init; }

    /// <summary>The distance of colours from their grey is multiplied by a number within 1 ± this, 0 to 1. Default 0.</summary>
    public double Saturation { get; init; }

    /// <summary>The image is turned by up to this many degrees to either side; what comes in from outside is mirrored. 0 to 180, default
    /// 0.</summary>
    public double Rotation { get; init; }

    /// <summary>
    /// Only a disc counts in the loss, in half of the draws: its radius as a share of half the shorter side is within this range, its
    /// place is random. Needs no mask; where there is one, both count. Null is off.
    /// </summary>
    public (double From, double To)? CircularMask { get; init; }

    /// <summary>Whether pixels differ from draw to draw in more than being mirrored, so that latents cannot be cached.</summary>
    internal IEnumerable<(string Option, object Value)> Uncacheable
    {
        get
        {
            if (Color != ColorAugmentation.None) yield return (nameof(Color), Color);
            if (RandomCrop) yield return (nameof(RandomCrop), true);
            if (FaceCrop is { } face) yield return (nameof(FaceCrop), face);
            if (Brightness > 0) yield return (nameof(Brightness), Brightness);
            if (Contrast > 0) yield return (nameof(Contrast), Contrast);
            if (Saturation > 0) yield return (nameof(Saturation), Saturation);
            if (Rotation > 0) yield return (nameof(Rotation), Rotation);
        }
    }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (!Enum.IsDefined(Color)) yield return Problem(Color, "there is no such way", "use ColorAugmentation.Weak");
        if (FaceCrop is { } face && !(face.From > 0 && face.To >= face.From && double.IsFinite(face.To)))
            yield return Problem(face, "the range must be positive and rise", "2 to 4 is customary", nameof(FaceCrop));
        foreach (var (name, share) in new[] { (nameof(Brightness), Brightness), (nameof(Contrast), Contrast),
            (nameof(Saturation), Saturation) })
            if (share is not (>= 0 and <= 1))
                yield return Problem(share, "the share must be within 0 and 1", "0.1 changes little, 0 nothing", name);
        if (Rotation is not (>= 0 and <= 180))
            yield return Problem(Rotation, "the angle must be within 0 and 180 degrees", "5 changes little, 0 nothing");
        if (CircularMask is { } disc && !(disc.From > 0 && disc.To >= disc.From && disc.To <= 1))
            yield return Problem(disc, "the range must lie within 0 and 1 and rise", "0.6 to 1 is customary", nameof(CircularMask));
    }
}

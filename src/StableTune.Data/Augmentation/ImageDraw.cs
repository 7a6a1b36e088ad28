using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>A disc in an image, as shares of its width, height and half its shorter side.</summary>
internal readonly record struct Disc(double X, double Y, double Radius);

/// <summary>All that chance decides about one use of an image, before its pixels are read.</summary>
/// <param name="Framing">How the image is resized and cut this time.</param>
/// <param name="Flip">Whether it is mirrored.</param>
internal sealed record ImageDraw(Framing Framing, bool Flip)
{
    /// <summary>Degrees it is turned by.</summary>
    internal double Rotation { get; init; }

    /// <summary>What is done to its colours; null for nothing.</summary>
    internal Func<PixelImage, PixelImage>? Color { get; init; }

    /// <summary>The disc that counts in the loss; null for all.</summary>
    internal Disc? Disc { get; init; }

    /// <summary>The image as it is without augmentation, for caches and checks.</summary>
    internal static ImageDraw Plain(TrainingSample sample) => new(sample.Framing, Flip: false);

    /// <summary>Whether the picture is the plain one, or its mirror image.</summary>
    internal bool IsPlainOrMirrored(TrainingSample sample) => Framing == sample.Framing && Rotation == 0 && Color is null;

    /// <summary>Decides. Each augmentation has a stream of its own, so that turning one on or off leaves the others as they were.</summary>
    /// <param name="sample">The image.</param>
    /// <param name="epoch">The epoch.</param>
    /// <param name="draw">The draw's number in it.</param>
    /// <param name="mirrors">Whether it is mirrored at random whatever the options say.</param>
    internal static ImageDraw Choose(TrainingSample sample, EpochPlan epoch, int draw, bool mirrors = false)
    {
        var options = sample.Subset.Augmentation;
        return new(Place(sample, epoch, draw), (options.Flip || mirrors) && Half(epoch.RandomFor("flip", draw)))
        {
            Rotation = options.Rotation > 0 ? Around(0, options.Rotation, epoch.RandomFor("rotation", draw)) : 0,
            Color = ColorChange.Choose(options, purpose => epoch.RandomFor(purpose, draw)),
            Disc = options.CircularMask is { } radius && epoch.RandomFor("disc", draw) is var random && Half(random)
                ? AnyDisc(radius, random) : null,
        };
    }

    /// <summary>A number within middle ± reach.</summary>
    internal static double Around(double middle, double reach, RandomStream random) => middle + (((2 * random.NextDouble()) - 1) * reach);

    internal static bool Half(RandomStream random) => random.NextDouble() < 0.5;

    private static Framing Place(TrainingSample sample, EpochPlan epoch, int draw)
    {
        var (options, framing) = (sample.Subset.Augmentation, sample.Framing);
        if (options.FaceCrop is { } range && FacePlace.Parse(sample.Path) is { } face)
            return FaceCrop.Frame(sample.ImageSize, framing.Size, face, range, options.RandomCrop, epoch.RandomFor("crop", draw));
        if (!options.RandomCrop) return framing;
        var random = epoch.RandomFor("crop", draw);
        return framing with { Left = random.Next(framing.Resized.Width - framing.Size.Width + 1),
            Top = random.Next(framing.Resized.Height - framing.Size.Height + 1) };
    }

    private static Disc AnyDisc((double From, double To) radius, RandomStream random) =>
        new(0.25 + (0.5 * random.NextDouble()), 0.25 + (0.5 * random.NextDouble()), radius.From
            + (random.NextDouble() * (radius.To - radius.From)));
}

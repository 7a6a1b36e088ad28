using StableTune.Data;
using StableTune.Imaging;

namespace StableTune;

/// <summary>What to do with an image file that cannot be read.</summary>
public enum BadImagePolicy
{
    /// <summary>The data set is not built; all such files are reported at once.</summary>
    Fail,

    /// <summary>The image is left out, with a warning that names it.</summary>
    Skip,
}

/// <summary>How regularisation images come into batches.</summary>
public enum PriorStyle
{
    /// <summary>As samples like others, in the batches of their own training sizes (sd-scripts).</summary>
    Separate,

    /// <summary>
    /// Each training image has one beside it in the same batch, which is twice as large: the training images, then their partners. The loss
    /// is the mean of the first plus the mean of the second times the weight (diffusers and ppdiffusers: <c>with_prior_preservation</c>).
    /// An epoch is as long as the longer list.
    /// </summary>
    Paired,
}

/// <summary>Options of a data set: everything that its subsets have in common.</summary>
public sealed record DatasetOptions : OptionsBase
{
    private const long MostPixels = 500_000_000;

    /// <summary>
    /// Width and height of the training images in pixels, multiples of 8 (64 is customary). Required, unless every image comes with its
    /// training size: from a metadata file (<c>train_resolution</c>) whose latents are there, or in sd-trainer's layout.
    /// </summary>
    public PixelSize? Resolution { get; init; }

    /// <summary>Images in a batch. Default 1.</summary>
    public int BatchSize { get; init; } = 1;

    /// <summary>
    /// Chooses each image's size; null, the default, gives all images the <see cref="Resolution"/>, but those whose latents were prepared
    /// their <see cref="DatasetItem.TrainingSize"/>.
    /// </summary>
    public IBucketing? Bucketing { get; init; }

    /// <summary>Factor of the loss of regularisation images. Default 1.</summary>
    public double PriorLossWeight { get; init; } = 1;

    /// <summary>How regularisation images come into batches. Default: as samples like others.</summary>
    public PriorStyle PriorStyle { get; init; }

    /// <summary>
    /// Times that each image occurs in its batch, each time with its own noise, timestep and caption (sd-trainer: <c>minibatch_repeat</c>):
    /// a batch of 8 holds 2 images 4 times. The batches in which all images occur are then that many epochs. Default 1; the
    /// <see cref="BatchSize"/> must be a multiple.
    /// </summary>
    public int MinibatchRepeat { get; init; } = 1;

    /// <summary>
    /// Whether the last batch of a training size is left out of an epoch when it is not full. Default false: no image is lost.
    /// </summary>
    public bool DropLast { get; init; }

    /// <summary>
    /// Batches of this data set in an epoch at most, for instance for a trial; the next epoch goes on where this one stopped, until all
    /// images have come. Null, the default, is no limit.
    /// </summary>
    public int? MaxBatchesPerEpoch { get; init; }

    /// <summary>
    /// Training images in an epoch, shared by the subsets as their <see cref="SubsetOptions.Weight"/> says, whatever their repeats; in the
    /// long run each image of a subset comes equally often. Null, the default, lets repeats decide.
    /// </summary>
    public int? SamplesPerEpoch { get; init; }

    /// <summary>Images of fewer pixels (width times height) are left out, with a warning. Null, the default, leaves none out.</summary>
    public long? MinimumImageArea { get; init; }

    /// <summary>The adapters' multiplier while a batch of this data set is trained; sliders train with 1 and -1. Default 1.</summary>
    public double NetworkMultiplier { get; init; } = 1;

    /// <summary>Share of each subset's images that is held out of training to measure the loss on, 0 up to 1. Default 0, none.</summary>
    public double ValidationSplit { get; init; }

    /// <summary>Seeds which images are held out; null takes them from the end of each subset.</summary>
    public long? ValidationSeed { get; init; }

    /// <summary>Whether photographs are turned as their EXIF orientation says; default true. (sd-scripts trains them sideways.)</summary>
    public bool ApplyExifOrientation { get; init; } = true;

    /// <summary>
    /// A colour on which transparent pictures are put. Null, the default, trains the colours as they are stored also where the picture is
    /// transparent, as sd-scripts does: there they may be anything. <see cref="TrainingDataset.Check"/> names such images.
    /// </summary>
    public PixelColor? Background { get; init; }

    /// <summary>
    /// Whether grey values of 16 bits above 255 become 255, which turns most such pictures white (sd-scripts). Default false: they are
    /// scaled to 8 bits.
    /// </summary>
    public bool ClipSixteenBitGray { get; init; }

    /// <summary>
    /// The largest image in pixels, width times height; larger ones are a fault of the data set. Default 178,956,970, where Pillow too
    /// refuses a picture.
    /// </summary>
    public long MaxImagePixels { get; init; } = new ImageLoadOptions().MaxPixels;

    /// <summary>
    /// What to do with image files that cannot be read. Default: fail. Building looks at the files' headers; an image that shows only
    /// when it is decoded that it was cut short is found before the first step (<see cref="TrainingDataset.WithoutBadImages"/>).
    /// </summary>
    public BadImagePolicy OnBadImage { get; init; }

    /// <summary>
    /// How pictures are resized; null, the default, takes area averaging when shrinking in both directions and Lanczos otherwise.
    /// </summary>
    public Interpolation? Interpolation { get; init; }

    /// <summary>
    /// Whether JPEGs may be decoded at a half, a fourth or an eighth of their size where that is still no smaller than they are trained:
    /// faster, with slightly other pixels (<see cref="ImageLoadOptions.FastDecoding"/>). Sizes and crops stay the same. Default false.
    /// </summary>
    public bool FastDecoding { get; init; }

    /// <summary>
    /// What decodes pictures, and so which kinds of files folders are searched for; null, the default, is <see cref="SkiaCodec"/> (PNG,
    /// JPEG, WebP, BMP).
    /// </summary>
    public IImageCodec? Codec { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Resolution is not { } size)
        {
            if (Bucketing is not null) yield return NoResolution;            // without buckets, images may come with their sizes
        }
        else if (size.Width < 8 || size.Height < 8 || size.Width % 8 != 0 || size.Height % 8 != 0)
            yield return Problem($"{size.Width} x {size.Height}", "width and height must be multiples of 8", Nearest(size),
                nameof(Resolution));
        else if (Bucketing is not null)
            foreach (var problem in Bucketing.Validate(size)) yield return problem;
        if (BatchSize < 1) yield return Problem(BatchSize, "a batch holds at least 1 image", "1 to 4 is customary");
        if (!Enum.IsDefined(PriorStyle))
            yield return Problem(PriorStyle, "there is no such style", "use PriorStyle.Separate or PriorStyle.Paired");
        if (MinibatchRepeat < 1) yield return Problem(MinibatchRepeat, "an image occurs in its batch at least once", "1 repeats none");
        else if (BatchSize >= 1 && BatchSize % MinibatchRepeat != 0)
            yield return Problem(MinibatchRepeat, $"the batch size ({BatchSize}) is no multiple of it",
                $"use a batch size of {(BatchSize + MinibatchRepeat - 1) / MinibatchRepeat * MinibatchRepeat}");
        if (MaxBatchesPerEpoch < 1)
            yield return Problem(MaxBatchesPerEpoch, "an epoch has at least 1 batch", "leave it unset for no limit");
        if (SamplesPerEpoch < 1)
            yield return Problem(SamplesPerEpoch, "an epoch has at least 1 image", "leave it unset to let repeats decide");
        if (MaxImagePixels is < 1 or > MostPixels)
            yield return Problem(MaxImagePixels,
                $"the limit must be at least 1 pixel, and at most {MostPixels}, which memory of one piece can hold",
                "leave it unset for the usual one");
        if (MinimumImageArea < 1)
            yield return Problem(MinimumImageArea, "the number of pixels must be positive",
                "262144 is 512 x 512; leave it unset to leave none out");
        if (!double.IsFinite(NetworkMultiplier))
            yield return Problem(NetworkMultiplier, "the multiplier must be a number", "1 is customary");
        if (ValidationSplit is not (>= 0 and < 1))
            yield return Problem(ValidationSplit, "the share must be at least 0 and less than 1", "0.1 holds a tenth of the images out");
        if (PriorLossWeight is not (>= 0 and < double.PositiveInfinity))
            yield return Problem(PriorLossWeight, "the weight must not be negative", "1 is customary");
    }

    /// <summary>What is wrong where images come without their sizes.</summary>
    internal static OptionProblem NoResolution { get; } = new("DatasetOptions.Resolution", null, "a training resolution is required",
        "call WithResolution(512)");

    /// <summary>How image files of the data set are loaded.</summary>
    internal ImageLoadOptions Loading => new()
    {
        ApplyExifOrientation = ApplyExifOrientation, Codec = Codec, FastDecoding = FastDecoding, Background = Background,
        ClipSixteenBitGray = ClipSixteenBitGray, MaxPixels = MaxImagePixels,
    };

    private static string Nearest(PixelSize size) =>
        $"{Near(size.Width)} x {Near(size.Height)} is the nearest; multiples of 64 suit Stable Diffusion best";

    private static int Near(int side) => Math.Max(8, (side + 4) / 8 * 8);
}

using StableTune.Data;
using StableTune.Imaging;

namespace StableTune;

/// <summary>The mask of an image's loss: a factor for each place.</summary>
public enum LossMask
{
    /// <summary>All places count alike.</summary>
    None,

    /// <summary>From the image's alpha channel: transparent places do not count. An image without one counts as a whole.</summary>
    Alpha,

    /// <summary>
    /// From the red channel of the image of the same name in <see cref="SubsetOptions.ConditioningFolder"/>: black places do not count.
    /// </summary>
    Conditioning,
}

/// <summary>
/// How the images of one source (a folder, a metadata file, a list of the host) are trained: how often, with which captions, changed in
/// which way. Each source of a data set has options of its own. A property that is null leaves the decision to the source, such as a
/// folder's name.
/// </summary>
public sealed record SubsetOptions : OptionsBase
{
    /// <summary>
    /// The key, <c>diff_output_preservation</c>, of an attribute (true or false) that is known: where it is true, the images are to come
    /// out as the model draws them untrained. What is learned from them is the prediction of the model with the adapter off.
    /// </summary>
    public const string PreserveOutput = "diff_output_preservation";

    /// <summary>
    /// Times each image occurs in an epoch, at least 1. Null, the default, takes the number that a folder's name begins with, or 1.
    /// </summary>
    public int? Repeats { get; init; }

    /// <summary>
    /// Images drawn from this source in an epoch, instead of repeats: another choice in each epoch, and in the long run each image equally
    /// often. Not for regularisation images. Null, the default, lets repeats decide.
    /// </summary>
    public int? SamplesPerEpoch { get; init; }

    /// <summary>
    /// The share of this source in <see cref="DatasetOptions.SamplesPerEpoch"/>, relative to the other sources; a positive number. Null,
    /// the default, is 1.
    /// </summary>
    public double? Weight { get; init; }

    /// <summary>
    /// The caption of images that have none. Null, the default, takes the text of the folder's name where it follows the DreamBooth
    /// convention.
    /// </summary>
    public string? ClassTokens { get; init; }

    /// <summary>
    /// Whether these are regularisation images: pictures of the class (frogs) beside those of the subject (one frog), so that the model
    /// keeps its idea of the class. They enter an epoch as often as the training images do, and their loss is multiplied by
    /// <see cref="DatasetOptions.PriorLossWeight"/>. Not in a data set with a metadata file. Default false.
    /// </summary>
    public bool IsRegularization { get; init; }

    /// <summary>
    /// The extensions of caption files in folders that are added by path, in any case; the first that an image has counts. Null, the
    /// default, is <see cref="CaptionFiles.Default"/>: <c>.caption</c> alone. <see cref="CaptionFiles.Any"/> takes <c>.txt</c> too.
    /// (<c>caption_extension</c>)
    /// </summary>
    public IReadOnlyList<string>? CaptionExtensions { get; init; }

    /// <summary>
    /// In folders that are added by path: whether <c>frog.png.txt</c> is the caption of <c>frog.png</c> where <c>frog.txt</c> is not there.
    /// Default false.
    /// </summary>
    public bool CaptionsByFullName { get; init; }

    /// <summary>What changes in images each time they are drawn. Default nothing.</summary>
    public AugmentationOptions Augmentation { get; init; } = new();

    /// <summary>
    /// How pictures of this source are resized; null, the default, is as <see cref="DatasetOptions.Interpolation"/> says.
    /// </summary>
    public Interpolation? Interpolation { get; init; }

    /// <summary>
    /// A folder with a second image for each image, found by its name without extension: what a ControlNet is shown, or a mask. It has the
    /// size of the image and is resized, cut and mirrored with it. Null, the default, is none.
    /// </summary>
    public string? ConditioningFolder { get; init; }

    /// <summary>
    /// A folder with what a tagger saw in each image, found by its name without extension (<c>.npz</c>, <c>controll</c>, [D]): what
    /// sd-trainer's PFG trains on instead of text. Null, the default, is none.
    /// </summary>
    public string? PromptFreeFolder { get; init; }

    /// <summary>Which places of an image count how much in the loss. Default all alike.</summary>
    public LossMask Mask { get; init; }

    /// <summary>
    /// The host's own values, handed to losses and observers; <see cref="PreserveOutput"/> (true or false) is known. Default none.
    /// </summary>
    public IReadOnlyDictionary<string, object?> Attributes { get; init; } = new Dictionary<string, object?>();

    /// <summary>What is done to captions each time an image is drawn. Default nothing: the caption is used as it is written.</summary>
    public CaptionOptions Captions { get; init; } = new();

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in OfDraws()) yield return problem;
        foreach (var problem in Captions.Validate()) yield return problem;
        foreach (var problem in FolderRules.OfCaptions("SubsetOptions.CaptionExtensions", CaptionExtensions)) yield return problem;
        foreach (var problem in Augmentation.Validate()) yield return problem;
        if (ConditioningFolder is not null && FolderRules.Existing("SubsetOptions.ConditioningFolder", ConditioningFolder) is { } missing)
            yield return missing;
        if (PromptFreeFolder is not null && FolderRules.Existing("SubsetOptions.PromptFreeFolder", PromptFreeFolder) is { } noFeatures)
            yield return noFeatures;
        if (Attributes.GetValueOrDefault(PreserveOutput) is { } preserve and not bool)
            yield return Problem(preserve, $"the attribute {PreserveOutput} is true or false", "give it one of these, without quotes",
                nameof(Attributes));
        if (!Enum.IsDefined(Mask)) yield return Problem(Mask, "there is no such mask", "use LossMask.Alpha");
        if (Mask == LossMask.Conditioning && ConditioningFolder is null)
            yield return Problem(Mask, "masks are to come from a folder, but none is given", "set ConditioningFolder");
    }

    /// <summary>Problems of the options that say how often images are drawn.</summary>
    private IEnumerable<OptionProblem> OfDraws()
    {
        const string balanced = "there are always as many regularisation images as training images",
            without = "leave the folder out to train without it";
        if (Repeats < 1) yield return Problem(Repeats, "an image must occur at least once in an epoch", without);
        if (SamplesPerEpoch < 1) yield return Problem(SamplesPerEpoch, "an epoch has at least 1 image of the subset", without);
        if (SamplesPerEpoch is not null && Repeats is not null)
            yield return Problem(SamplesPerEpoch, $"repeats ({Repeats}) and a number of draws cannot both decide", "set one of them");
        if (Weight is { } share && !(share > 0 && double.IsFinite(share)))
            yield return Problem(Weight, "the weight must be positive", "1 is customary");
        if (IsRegularization && SamplesPerEpoch is not null) yield return Problem(SamplesPerEpoch, balanced, "leave it unset");
        if (IsRegularization && Weight is not null) yield return Problem(Weight, balanced, "leave it unset");
    }
}

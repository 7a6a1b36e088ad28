using StableTune.Data;
using StableTune.Imaging;

namespace StableTune;

/// <summary>Where the factors of an image's loss come from, place by place.</summary>
public enum LossMask
{
    /// <summary>All places count alike.</summary>
    None,

    /// <summary>From the image's alpha channel: transparent places do not count. An image without one counts as a whole.</summary>
    Alpha,

    /// <summary>From the red channel of the image of the same name in <see cref="SubsetOptions.ConditioningFolder"/>: black places do not count.</summary>
    Conditioning,
}

/// <summary>How the images of one source are trained. Null means: as the source says.</summary>
public sealed record SubsetOptions : OptionsBase
{
    /// <summary>Times each image occurs in an epoch; null, the default, takes the number of the folder's name, or 1.</summary>
    public int? Repeats { get; init; }

    /// <summary>
    /// Images of this subset in an epoch, instead of repeats: another choice in each epoch, and in the long run each image equally often. Not for regularisation
    /// images. Null, the default, lets repeats decide.
    /// </summary>
    public int? SamplesPerEpoch { get; init; }

    /// <summary>The share of this subset in <see cref="DatasetOptions.SamplesPerEpoch"/>, relative to others; null, the default, is 1.</summary>
    public double? Weight { get; init; }

    /// <summary>Caption of images that have none; null, the default, takes the text of the folder's name, if any.</summary>
    public string? ClassTokens { get; init; }

    /// <summary>
    /// Whether these are regularisation images: they keep the model's idea of the class, enter an epoch as often as the training
    /// images do, and their loss is multiplied by <see cref="DatasetOptions.PriorLossWeight"/>.
    /// </summary>
    public bool IsRegularization { get; init; }

    /// <summary>The extension of caption files in folders that are added by path; null is as <see cref="FolderSource.CaptionExtension"/> says.</summary>
    public string? CaptionExtension { get; init; }

    /// <summary>What changes in images each time they are drawn.</summary>
    public AugmentationOptions Augmentation { get; init; } = new();

    /// <summary>How pictures of this subset are resized; null, the default, is as <see cref="DatasetOptions.Interpolation"/> says.</summary>
    public Interpolation? Interpolation { get; init; }

    /// <summary>
    /// A folder with a second image for each image, found by its name without extension: what a ControlNet is shown, or a mask. It has the
    /// size of the image and is resized, cut and mirrored with it. Null is none.
    /// </summary>
    public string? ConditioningFolder { get; init; }

    /// <summary>Which places of an image count how much in the loss. Default all.</summary>
    public LossMask Mask { get; init; }

    /// <summary>
    /// An attribute that is known: where it is true, these images shall come out as without what is trained. Their goal is the prediction of the model with
    /// the adapter off (sd-scripts: <c>diff_output_preservation</c>).
    /// </summary>
    public const string PreserveOutput = "diff_output_preservation";

    /// <summary>The host's own values, handed to losses and observers; <see cref="PreserveOutput"/> (true or false) is known.</summary>
    public IReadOnlyDictionary<string, object?> Attributes { get; init; } = new Dictionary<string, object?>();

    /// <summary>What is done to captions each time an image is drawn.</summary>
    public CaptionOptions Captions { get; init; } = new();

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Repeats < 1) yield return Problem(Repeats, "an image must occur at least once in an epoch", "leave the folder out to train without it");
        if (SamplesPerEpoch < 1) yield return Problem(SamplesPerEpoch, "an epoch has at least 1 image of the subset", "leave the folder out to train without it");
        if (SamplesPerEpoch is not null && Repeats is not null) yield return Problem(SamplesPerEpoch, $"repeats ({Repeats}) and a number of draws cannot both decide", "set one of them");
        if (Weight is { } share && !(share > 0 && double.IsFinite(share))) yield return Problem(Weight, "the weight must be positive", "1 is customary");
        if (IsRegularization && SamplesPerEpoch is not null) yield return Problem(SamplesPerEpoch, "there are always as many regularisation images as training images", "leave it unset");
        if (IsRegularization && Weight is not null) yield return Problem(Weight, "there are always as many regularisation images as training images", "leave it unset");
        foreach (var problem in Captions.Validate()) yield return problem;
        foreach (var problem in Augmentation.Validate()) yield return problem;
        if (ConditioningFolder is not null && FolderRules.Existing("SubsetOptions.ConditioningFolder", ConditioningFolder) is { } missing) yield return missing;
        if (Attributes.GetValueOrDefault(PreserveOutput) is { } preserve and not bool)
            yield return Problem(preserve, $"the attribute {PreserveOutput} is true or false", "give it one of these, without quotes", nameof(Attributes));
        if (!Enum.IsDefined(Mask)) yield return Problem(Mask, "there is no such mask", "use LossMask.Alpha");
        if (Mask == LossMask.Conditioning && ConditioningFolder is null)
            yield return Problem(Mask, "masks are to come from a folder, but none is given", "set ConditioningFolder");
    }
}

using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>One image of a data set as its source describes it: where it is and what it shows. No pixels.</summary>
/// <param name="Path">The image file; png, jpg, webp or bmp.</param>
/// <param name="Size">Width and height as they will be trained, that is with EXIF orientation applied; null lets the builder read the
/// file's header.</param>
/// <param name="Caption">
/// The caption as its author wrote it, possibly of several lines; null when there is none, so that class tokens take its place.
/// An empty string is a caption too: the image is then trained without text.
/// </param>
public sealed record DatasetItem(string Path, PixelSize? Size, string? Caption)
{
    /// <summary>
    /// An item whose size the builder reads from the file's header, together with all others, reporting every bad file at once.
    /// </summary>
    /// <param name="path">The image file.</param>
    /// <param name="caption">The caption; null when there is none.</param>
    public DatasetItem(string path, string? caption) : this(path, null, caption) { }

    /// <summary>A picture that is no file; see <see cref="HostImage"/>.</summary>
    /// <param name="image">The picture; its name takes the place of the path.</param>
    /// <param name="caption">The caption; null when there is none.</param>
    public DatasetItem(IImageSource image, string? caption) : this((image ?? throw new ArgumentNullException(nameof(image))).Name, null,
        caption)
    {
        Image = image;
        Group = "images";
    }

    /// <summary>The picture where it is no file, so that <see cref="Path"/> is only its name; null, the default, for files.</summary>
    public IImageSource? Image { get; init; }

    /// <summary>How often the image enters an epoch, unless <see cref="SubsetOptions.Repeats"/> says otherwise. Default 1.</summary>
    public int Repeats { get; init; } = 1;

    /// <summary>
    /// The caption when <see cref="Caption"/> is null, unless <see cref="SubsetOptions.ClassTokens"/> says otherwise; null is none.
    /// </summary>
    public string? ClassTokens { get; init; }

    /// <summary>
    /// A second image, what a ControlNet is shown or a mask; null lets <see cref="SubsetOptions.ConditioningFolder"/> find it.
    /// </summary>
    public string? ConditioningPath { get; init; }

    /// <summary>What reports and metadata count the image under; null, the default, is the name of its folder.</summary>
    public string? Group { get; init; }

    /// <summary>The tags that metadata counts, divided by commas; null, the default, counts those of the caption.</summary>
    public string? Tags { get; init; }

    /// <summary>
    /// The size of the picture before it was prepared; setting it says that the image has its training size already and is neither resized
    /// nor cut. Null, the default, for pictures as they are.
    /// </summary>
    public PixelSize? PreparedFrom { get; init; }

    /// <summary>
    /// The training size that was chosen when latents of the image were prepared (<c>train_resolution</c> of a metadata file). It counts
    /// where the data set has no bucketing of its own, and its latents are there or no resolution is. Null, the default, for none.
    /// </summary>
    public PixelSize? TrainingSize { get; init; }

    /// <summary>Whether latents of the image are known to lie beside it.</summary>
    internal bool HasLatentsBeside { get; init; }

    /// <summary>A file with its latents (<c>.npy</c>, unscaled, [4, H/8, W/8]); null, the default, encodes the image.</summary>
    public string? LatentsPath { get; init; }

    /// <summary>
    /// A file that says how much each place of the latents counts (<c>.npz</c>, <c>arr_0</c>, [H/8, W/8]); null, the default, for none.
    /// </summary>
    public string? MaskPath { get; init; }

    /// <summary>
    /// A file with what a tagger saw in the image, which sd-trainer's PFG trains on instead of text (<c>.npz</c>, <c>controll</c>, [D]);
    /// null, the default, for none.
    /// </summary>
    public string? PromptFreePath { get; init; }

    /// <summary>
    /// A file with what the model's text encoder made of the image's text (<c>.npz</c>, <c>encoder_hidden_state</c> [L, C] and, for SDXL,
    /// <c>pooled_output</c> [D]): trained in place of the caption, which is not encoded. Within a data set all images have one or none has.
    /// Null, the default, encodes the caption.
    /// </summary>
    public string? TextOutputsPath { get; init; }

    /// <summary>Whether the image is gone and only its cached latents are left; its size must be given then. Default false.</summary>
    public bool IsCachedOnly { get; init; }
}

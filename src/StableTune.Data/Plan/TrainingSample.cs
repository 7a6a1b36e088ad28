using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>One image of a built data set: what its source said of it, and what building decided about it.</summary>
public sealed record TrainingSample
{
    /// <summary>The sample's place in <see cref="TrainingDataset.Samples"/>, from 0.</summary>
    public required int Index { get; init; }

    /// <summary>
    /// The image as its source described it, with its size: file or picture, second image, and whatever files came with it.
    /// </summary>
    public required DatasetItem Item { get; init; }

    /// <summary>The image file; only a name where the picture is no file (<see cref="DatasetItem.Image"/>).</summary>
    public string Path => Item.Path;

    /// <summary>Width and height of the picture in pixels, turned as it will be trained.</summary>
    public PixelSize ImageSize => Item.Size!.Value;

    /// <summary>The folder that it is counted under in reports and metadata: the bare name.</summary>
    public required string Folder { get; init; }

    /// <summary>How the picture comes to its training size.</summary>
    public required Framing Framing { get; init; }

    /// <summary>
    /// The caption before it is changed from use to use: from its file, else the class tokens, else empty. It has several lines only where
    /// <see cref="CaptionOptions.Wildcard"/> chooses one of them.
    /// </summary>
    public required string Caption { get; init; }

    /// <summary>What is done to the caption each time the image is drawn.</summary>
    public required CaptionPipeline Captions { get; init; }

    /// <summary>The options of the subset that it belongs to.</summary>
    public required SubsetOptions Subset { get; init; }

    /// <summary>The options of the data set that it belongs to.</summary>
    public required DatasetOptions Dataset { get; init; }

    /// <summary>Times it occurs in an epoch, at least 1. Of a regularisation image: after balancing.</summary>
    public required int Repeats { get; init; }

    /// <summary>Factor of its loss: 1, or <see cref="DatasetOptions.PriorLossWeight"/> for a regularisation image.</summary>
    public float LossWeight => Subset.IsRegularization ? (float)Dataset.PriorLossWeight : 1f;

    /// <summary>
    /// Whether its training size is that of a metadata file, so that nobody knows how the picture was cut when its latents were made.
    /// </summary>
    internal bool IsSizedByMetadata { get; init; }

    /// <summary>
    /// The group of images that share a number of draws (<see cref="SubsetOptions.SamplesPerEpoch"/>), from 1; 0 where repeats decide.
    /// </summary>
    internal int CountedGroup { get; init; }

    /// <summary>How it is resized; null takes the usual way for its size.</summary>
    internal Interpolation? Interpolation => Subset.Interpolation ?? Dataset.Interpolation;
}

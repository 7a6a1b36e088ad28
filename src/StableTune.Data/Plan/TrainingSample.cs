using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>One image of a built data set, with all that was decided about it.</summary>
public sealed record TrainingSample
{
    /// <summary>Its place in <see cref="TrainingDataset.Samples"/>.</summary>
    public required int Index { get; init; }

    /// <summary>The image file.</summary>
    public required string Path { get; init; }

    /// <summary>The picture where it is no file, so that <see cref="Path"/> is only its name; null for files.</summary>
    public IImageSource? Image { get; init; }

    /// <summary>Its second image, what a ControlNet is shown or a mask; null where the subset has none.</summary>
    public string? ConditioningPath { get; init; }

    /// <summary>The folder that it is counted under in reports and metadata: the bare name.</summary>
    public required string Folder { get; init; }

    /// <summary>Width and height of the picture, turned as it will be trained.</summary>
    public required PixelSize ImageSize { get; init; }

    /// <summary>The size of the picture before it was prepared for training, which SDXL is told; null where <see cref="ImageSize"/> is that size.</summary>
    public PixelSize? OriginalSize { get; init; }

    /// <summary>Whether the image is gone and only its cached latents are left.</summary>
    public bool IsCachedOnly { get; init; }

    /// <summary>A file with its latents that came with the data set (<c>.npy</c>, unscaled, [4, H/8, W/8]); null where there is none.</summary>
    public string? LatentsPath { get; init; }

    /// <summary>A file that says how much each place of its latents counts (<c>.npz</c>, <c>arr_0</c>, [H/8, W/8]); null where there is none.</summary>
    public string? MaskPath { get; init; }

    /// <summary>A file with what a tagger saw in it (<c>.npz</c>, <c>controll</c>, [D]); null where there is none.</summary>
    public string? PromptFreePath { get; init; }

    /// <summary>A file with the text encoder's outputs that came with the data set (<c>.npz</c>, <c>encoder_hidden_state</c> [L, C], <c>pooled_output</c> [D]); null where the caption is encoded.</summary>
    public string? TextOutputsPath { get; init; }

    /// <summary>How it comes to its training size.</summary>
    public required Framing Framing { get; init; }

    /// <summary>The caption before the pipeline: from its file, else the class tokens, else empty. Several lines only with wildcards.</summary>
    public required string Caption { get; init; }

    /// <summary>What is done to the caption at each use.</summary>
    public required CaptionPipeline Captions { get; init; }

    /// <summary>The subset's options.</summary>
    public required SubsetOptions Subset { get; init; }

    /// <summary>Options of the data set that it belongs to.</summary>
    public required DatasetOptions Dataset { get; init; }

    /// <summary>Times it occurs in an epoch. Of a regularisation image: after balancing.</summary>
    public required int Repeats { get; init; }

    /// <summary>The group of images that share a number of draws (<see cref="SubsetOptions.SamplesPerEpoch"/>), from 1; 0 where repeats decide.</summary>
    internal int CountedGroup { get; init; }

    /// <summary>How it is resized; null takes the usual way for its size.</summary>
    internal Interpolation? Interpolation => Subset.Interpolation ?? Dataset.Interpolation;

    /// <summary>Factor of its loss: 1, or the prior loss weight of a regularisation image.</summary>
    public float LossWeight => Subset.IsRegularization ? (float)Dataset.PriorLossWeight : 1f;
}


using StableTune.Imaging;
using StableTune.Tensors;

namespace StableTune.Data;

/// <summary>What chance decided about one image of a batch.</summary>
/// <param name="Framing">How it was resized and cut.</param>
/// <param name="Flipped">Whether it was mirrored.</param>
public readonly record struct SampleDraw(Framing Framing, bool Flipped);

/// <summary>
/// The data of one training step. Its tensors lie in host memory, belong to no dispose scope, and are freed by
/// <see cref="Dispose"/>; the one who takes a batch from the loader disposes it after the step.
/// </summary>
public sealed class Batch : IDisposable
{
    internal Batch(PlannedBatch plan, int epoch, IReadOnlyList<TrainingSample> items, IReadOnlyList<string> captions, Tensor lossWeights)
    {
        (Index, Epoch, Size, Share) = (plan.Index, epoch, plan.Size, plan.Share);
        (Items, Captions, LossWeights) = (items, captions, lossWeights);
    }

    /// <summary>A batch of a host's own making, for a loop without data set. Give it latents or pixels.</summary>
    /// <param name="captions">One a sample, [B].</param>
    /// <param name="lossWeights">[B], float32; null for 1 each. Becomes the batch's own.</param>
    public Batch(IReadOnlyList<string> captions, Tensor? lossWeights = null)
    {
        ArgumentNullException.ThrowIfNull(captions);
        (Items, Captions) = ([], captions);
        Share = new(0, captions.Count, captions.Count);
        LossWeights = (lossWeights ?? ones(captions.Count)).DetachFromDisposeScope();
    }

    private Batch(Batch whole, int place, int parts)
    {
        (Index, Epoch, Size, Share) = (whole.Index, whole.Epoch, whole.Size, whole.Share.Part(place, parts));
        var (from, count) = (Share.First - whole.Share.First, Share.Count);
        Tensor Cut(Tensor tensor) => tensor.narrow(0, from, count).DetachFromDisposeScope();
        IReadOnlyList<T> Of<T>(IReadOnlyList<T> list) => list.Count == 0 ? list : [.. list.Skip(from).Take(count)];
        (Items, Captions, Draws, Sizes) = (Of(whole.Items), Of(whole.Captions), Of(whole.Draws), Of(whole.Sizes));
        Others = whole.Others ?? (whole.Items, whole.Captions);
        LossWeights = Cut(whole.LossWeights);
        if (whole.Pixels is { } pixels) Pixels = Cut(pixels);
        if (whole.Latents is { } latents) Latents = Cut(latents);
        if (whole.Masks is { } masks) Masks = Cut(masks);
        if (whole.Conditioning is { } conditioning) Conditioning = Cut(conditioning);
        if (whole.Text is { } text) Text = new TextConditions(Cut(text.Context), text.Pooled is { } pooled ? Cut(pooled) : null);
        if (whole.PromptFreeFeatures is { } features) PromptFreeFeatures = Cut(features);
    }

    /// <summary>One of several equal shares of the batch, for one of several devices: views of the same memory; it belongs to
    /// the caller. A device for which there is no sample gets one that counts nothing.</summary>
    /// <param name="place">Which share, from 0.</param>
    /// <param name="parts">How many there are.</param>
    public Batch Part(int place, int parts) => new(this, place, parts);

    /// <summary>Which samples of the step's batch these are, where several devices or processes share it: all, where none do.</summary>
    public BatchShare Share { get; }

    /// <summary>Images and captions of the whole batch; null where all are here.</summary>
    internal (IReadOnlyList<TrainingSample> Items, IReadOnlyList<string> Captions)? Others { get; init; }

    /// <summary>The whole batch as far as its images and captions go, without what is read of them; belongs to the caller.</summary>
    internal Batch WithOthers() => Others is not { } others ? this
        : new Batch(new PlannedBatch(Index, Size, new int[others.Captions.Count], 0), Epoch, others.Items, others.Captions,
            ones(others.Captions.Count).DetachFromDisposeScope());

    /// <summary>The batch's place in the epoch, from 0.</summary>
    public int Index { get; }

    /// <summary>The epoch, from 1.</summary>
    public int Epoch { get; }

    /// <summary>The training size of all its images.</summary>
    public PixelSize Size { get; }

    /// <summary>Number of images, B.</summary>
    public int Count => Captions.Count;

    /// <summary>The images, [B]; empty in a batch of a host's own making.</summary>
    public IReadOnlyList<TrainingSample> Items { get; }

    /// <summary>How each image was cut and whether it was mirrored this time, [B]; empty in a batch of a host's own making.</summary>
    public IReadOnlyList<SampleDraw> Draws { get; init; } = [];

    /// <summary>What a model that is conditioned on sizes (SDXL) is told of each image, [B]; empty in a host's own batch that gives
    /// none.</summary>
    public IReadOnlyList<MicroConditioning> Sizes { get; init; } = [];

    /// <summary>The captions as they are used this time, [B]; empty ones were dropped or never there.</summary>
    public IReadOnlyList<string> Captions { get; }

    /// <summary>Factor of each image's loss, [B], float32: 1, or the prior loss weight for regularisation images.</summary>
    public Tensor LossWeights { get; }

    /// <summary>The images in [-1, 1], [B, 3, H, W], float32; null when the latents come from a cache.</summary>
    public Tensor? Pixels { get; init; }

    /// <summary>Cached latents times the scaling factor, [B, 4, H/8, W/8], float32; null without a latent cache.</summary>
    public Tensor? Latents { get; init; }

    /// <summary>How much each place of the latents counts in the loss, [B, 1, H/8, W/8], float32 in [0, 1]; null when all count
    /// alike.</summary>
    public Tensor? Masks { get; init; }

    /// <summary>The second images, [B, 3, H, W], float32 in [0, 1]: what a ControlNet is shown; null when there are none.</summary>
    public Tensor? Conditioning { get; init; }

    /// <summary>Outputs of the text encoders, float32, that came with the images or are cached; null where the captions are yet to be
    /// encoded.</summary>
    public TextConditions? Text { get; init; }

    /// <summary>
    /// What a tagger saw in each image, [B, D], float32, D as prepared (768 of sd-trainer's): the input of a network that trains on it
    /// instead of text (sd-trainer's PFG). Mirroring does not change it. Null where the images have none.
    /// </summary>
    public Tensor? PromptFreeFeatures { get; init; }

    /// <summary>Frees the tensors.</summary>
    public void Dispose()
    {
        LossWeights.Dispose();
        Pixels?.Dispose();
        Latents?.Dispose();
        Masks?.Dispose();
        Conditioning?.Dispose();
        Text?.Dispose();
        PromptFreeFeatures?.Dispose();
    }
}

using StableTune.Models;

namespace StableTune.Training;

/// <summary>What is learnt in a UNet, which says what its layers keep.</summary>
internal enum UNetLearning
{
    /// <summary>Nothing; gradients flow through it, to a text encoder for instance.</summary>
    Through,

    /// <summary>Adapters at frozen layers: those keep their inputs.</summary>
    Adapters,

    /// <summary>Its own weights: all layers keep their inputs.</summary>
    Weights,
}

/// <summary>
/// How many numbers a pass through a UNet keeps for its backward pass, counted block by block as the blocks of this library keep them, and
/// how many it computes with at its largest place.
/// </summary>
/// <param name="Options">The architecture.</param>
/// <param name="Height">Height of the latents.</param>
/// <param name="Width">Width of the latents.</param>
/// <param name="Samples">Samples in a batch.</param>
/// <param name="Learning">What is learnt.</param>
/// <param name="Checkpoints">Whether blocks keep their inputs alone.</param>
internal sealed record UNetActivations(
    UNetOptions Options, long Height, long Width, long Samples, UNetLearning Learning, bool Checkpoints)
{
    // A transformer block: its tokens, queries, keys, values, attention's result twice (as it comes, and with its heads joined), queries
    // and result of the attention to the text, the tokens between the parts; with layers that keep their inputs the tokens that are normed
    // for both attentions too.
    private const int OfTransformerBlock = 10, OfItsNorms = 2;

    // Around the blocks of a transformer: projected tokens, output; the inputs of both projections.
    private const int OfTransformer = 2, OfItsProjections = 2;

    // The feed-forward part made again with its gradients, eight and four times as wide as the tokens, in float32.
    private const int OfFeedForward = 30;

    /// <summary>Numbers that are kept from the forward to the backward pass.</summary>
    public long Kept => Checkpoints ? Places().Sum(place => place.Inputs) + Places().Max(place => place.Inside)
        : Places().Sum(place => place.Inside);

    /// <summary>Numbers that the largest block computes with, besides what is kept.</summary>
    public long Working => Options.BlockOutChannels[0] * Area(0) * OfFeedForward;

    private bool KeepsInputs => Learning != UNetLearning.Through;

    /// <summary>Numbers that a piece keeps: all, and those that it is entered with.</summary>
    private IEnumerable<(long Inside, long Inputs)> Places()
    {
        var (channels, levels) = (Options.BlockOutChannels, Options.BlockOutChannels.Count);
        for (var level = 0; level < levels; level++)
        {
            var depth = Options.DownBlockTypes[level] == UNetOptions.CrossAttentionDown ? Options.TransformerLayersPerBlock[level] : 0;
            for (var layer = 0; layer < Options.LayersPerBlock; layer++)
            {
                var from = layer == 0 ? channels[Math.Max(0, level - 1)] : channels[level];
                yield return Resnet(from, channels[level], level, isJoined: false);
                if (depth > 0) yield return Transformer(channels[level], level, depth);
            }

            if (level < levels - 1) yield return Both(channels[level] * Area(level + 1));
        }

        yield return Resnet(channels[^1], channels[^1], levels - 1, isJoined: false);
        yield return Transformer(channels[^1], levels - 1, Options.TransformerLayersPerBlock[^1]);
        yield return Resnet(channels[^1], channels[^1], levels - 1, isJoined: false);
        for (var index = 0; index < levels; index++)
        {
            var level = levels - 1 - index;
            var depth = Options.UpBlockTypes[index] == UNetOptions.CrossAttentionUp ? Options.TransformerLayersPerBlock[level] : 0;
            for (var layer = 0; layer <= Options.LayersPerBlock; layer++)
            {
                var below = layer == 0 ? channels[Math.Min(levels - 1, level + 1)] : channels[level];
                var skip = layer == Options.LayersPerBlock ? channels[Math.Max(0, level - 1)] : channels[level];
                yield return Resnet(below + skip, channels[level], level, isJoined: true);
                if (depth > 0) yield return Transformer(channels[level], level, depth);
            }

            // The enlarged map is the input of a convolution.
            if (level > 0)
                yield return Both(channels[level] * Area(level - 1) * (Learning == UNetLearning.Weights ? 2 : 1));
        }
    }

    private (long Inside, long Inputs) Resnet(long from, long to, int level, bool isJoined)
    {
        var inputs = (isJoined ? from : 0) + to;
        var inside = inputs + to + (Learning == UNetLearning.Weights ? from + to : 0);
        return (inside * Area(level), inputs * Area(level));
    }

    private (long Inside, long Inputs) Transformer(long channels, int level, int depth)
    {
        var around = OfTransformer + (KeepsInputs ? OfItsProjections : 0);
        var inside = around + (depth * (OfTransformerBlock + (KeepsInputs ? OfItsNorms : 0)));
        return (inside * channels * Area(level), (around + depth) * channels * Area(level));
    }

    private static (long, long) Both(long numbers) => (numbers, numbers);

    /// <summary>Places of a feature map, of all samples.</summary>
    private long Area(int level)
    {
        var (height, width) = (Height, Width);
        for (var i = 0; i < level; i++) (height, width) = ((height + 1) / 2, (width + 1) / 2);
        return height * width * Samples;
    }
}

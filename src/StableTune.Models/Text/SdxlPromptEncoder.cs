using StableTune.Tensors;

namespace StableTune.Models;

/// <summary>Captions and prompts to what SDXL's UNet is told of them: the hidden states of both text encoders and the second one's pooled
/// output.</summary>
/// <remarks>
/// Podell et al., SDXL, arXiv:2307.01952. Both encoders give the input of their last layer, without the final norm; the pooled output is
/// that of the first
/// chunk, at its first end token. Clip skip is not looked at.
/// </remarks>
public sealed class SdxlPromptEncoder : IPromptEncoder
{
    private readonly Half _first, _second;
    private readonly int _endId;

    /// <summary>Creates the encoder. Owns none of the four.</summary>
    /// <param name="tokenizer">The first encoder's tokenizer.</param>
    /// <param name="textModel">The first encoder, CLIP ViT-L.</param>
    /// <param name="tokenizer2">The second encoder's tokenizer, which pads with id 0.</param>
    /// <param name="textModel2">The second encoder, OpenCLIP ViT-bigG; it has a projection.</param>
    /// <exception cref="ArgumentException">A tokenizer has ids that its text encoder has no embedding for, or the second encoder has no
    /// projection.</exception>
    public SdxlPromptEncoder(ITextTokenizer tokenizer, ClipTextModel textModel, ITextTokenizer tokenizer2, ClipTextModel textModel2)
    {
        PromptChunks.CheckFit(tokenizer, textModel);
        PromptChunks.CheckFit(tokenizer2, textModel2);
        if (textModel2.Options.ProjectionDim is null)
            throw new ArgumentException("The second text encoder has no projection: SDXL needs its pooled output projected.",
                nameof(textModel2));
        (_first, _second, _endId) = (new Half(tokenizer, textModel), new Half(tokenizer2, textModel2), tokenizer2.EndId);
    }

    /// <summary>The largest clip skip: null, as SDXL does not look at clip skip.</summary>
    public int? LargestClipSkip => null;

    /// <inheritdoc/>
    public TextConditions Encode(IReadOnlyList<string> captions, int? clipSkip = null, int maxTokenLength = ClipTokenizer.ChunkBodyLength)
    {
        using var scope = NewDisposeScope();
        Tensor Ids(Half half) => PromptChunks.Ids(
            [.. captions.Select(caption => half.Tokenizer.EncodePadded(caption, maxTokenLength))], half.Model);
        return EncodeIds(Ids(_first), Ids(_second)).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public TextConditions EncodeWeighted(
        IReadOnlyList<string> captions, int? clipSkip = null, int maxTokenLength = ClipTokenizer.ChunkBodyLength, bool rescale = false)
    {
        using var scope = NewDisposeScope();
        return Weighted(captions, maxTokenLength, PromptChunks.Join, rescale).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public TextConditions EncodeUnpadded(IReadOnlyList<string> captions, int? clipSkip = null, bool weighted = false)
    {
        using var scope = NewDisposeScope();
        var text = weighted ? EncodeWeighted(captions, clipSkip) : Encode(captions, clipSkip);
        // The encoder looks at what stands before a place only: padding changes nothing of the text before it.
        var places = PromptChunks.LongestBody(captions, _first.Tokenizer, weighted) + 2;
        return new TextConditions(text.Context.narrow(1L, 0, places).contiguous(), text.Pooled).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public TextConditions EncodeForSampling(IReadOnlyList<string> prompts, int? clipSkip = null)
    {
        using var scope = NewDisposeScope();
        var length = PromptChunks.CountForSampling(prompts, _first.Tokenizer) * ClipTokenizer.ChunkBodyLength;
        return Weighted(prompts, length, PromptChunks.Row, rescale: true).MoveToOuterDisposeScope();
    }

    /// <summary>The conditions of token ids that are in chunks already.</summary>
    /// <param name="inputIds">The first tokenizer's, [B, n, 77], int64.</param>
    /// <param name="inputIds2">The second tokenizer's, as <paramref name="inputIds"/>.</param>
    /// <returns>[B, n · 75 + 2, C1 + C2] and [B, D].</returns>
    /// <exception cref="ArgumentException">The ids have another shape.</exception>
    public TextConditions EncodeIds(Tensor inputIds, Tensor inputIds2)
    {
        using var scope = NewDisposeScope();
        var states1 = PromptChunks.Join(Run(inputIds));
        var (states2, pooled) = RunSecond(inputIds2);
        return new TextConditions(cat([states1, PromptChunks.Join(states2)], -1), pooled).MoveToOuterDisposeScope();
    }

    private TextConditions Weighted(IReadOnlyList<string> captions, int length, Func<Tensor, Tensor> join, bool rescale)
    {
        using var scope = NewDisposeScope();
        WeightedTokens[] Tokens(Half half) => [.. captions.Select(caption => half.Tokenizer.EncodeWeighted(caption, length))];
        var (tokens1, tokens2) = (Tokens(_first), Tokens(_second));
        Tensor Weigh(Tensor states, WeightedTokens[] tokens) => PromptChunks.Weigh(
            join(states), join(PromptChunks.Weights([.. tokens.Select(sample => sample.Weights)], states.device)), rescale);

        var states1 = Run(PromptChunks.Ids([.. tokens1.Select(sample => sample.Ids)], _first.Model));
        var (states2, pooled) = RunSecond(PromptChunks.Ids([.. tokens2.Select(sample => sample.Ids)], _second.Model));
        return new TextConditions(cat([Weigh(states1, tokens1), Weigh(states2, tokens2)], -1), pooled).MoveToOuterDisposeScope();
    }

    /// <summary>Ids [B, n, 77] to the first encoder's states [B, n, 77, C1].</summary>
    private Tensor Run(Tensor inputIds)
    {
        PromptChunks.CheckShape(inputIds);
        using var scope = NewDisposeScope();
        var states = _first.Model.HiddenState(inputIds.flatten(0, 1), clipSkip: 2, finalNorm: false);
        return states.view(inputIds.shape[0], inputIds.shape[1], inputIds.shape[2], -1).MoveToOuterDisposeScope();
    }

    /// <summary>Ids [B, n, 77] to the second encoder's states [B, n, 77, C2] and the pooled output of each first chunk, [B, D].</summary>
    private (Tensor States, Tensor Pooled) RunSecond(Tensor inputIds)
    {
        PromptChunks.CheckShape(inputIds);
        using var scope = NewDisposeScope();
        var (batch, count) = (inputIds.shape[0], inputIds.shape[1]);
        var (states, pooled) = _second.Model.PenultimateAndPooled(inputIds.flatten(0, 1), _endId);
        return (states.view(batch, count, inputIds.shape[2], -1).MoveToOuterDisposeScope(),
            pooled.view(batch, count, -1).select(1, 0).MoveToOuterDisposeScope());
    }

    private sealed record Half(ITextTokenizer Tokenizer, ClipTextModel Model);
}

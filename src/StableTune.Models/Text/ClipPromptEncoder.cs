using StableTune.Tensors;

namespace StableTune.Models;

/// <summary>Captions and prompts to the hidden states of one CLIP text encoder (SD 1.x and 2.x), as sd-scripts computes them.</summary>
/// <remarks>Gradients flow where they are enabled; callers that train no text encoder wrap the call in <c>no_grad()</c>.</remarks>
public sealed class ClipPromptEncoder : IPromptEncoder
{
    private readonly ITextTokenizer _tokenizer;
    private readonly ClipTextModel _textModel;

    /// <summary>Creates the encoder. Owns neither of the two.</summary>
    /// <exception cref="ArgumentException">The tokenizer has ids that the text encoder has no embedding for, or the encoder takes fewer
    /// than 77 tokens.</exception>
    public ClipPromptEncoder(ITextTokenizer tokenizer, ClipTextModel textModel)
    {
        PromptChunks.CheckFit(tokenizer, textModel);
        (_tokenizer, _textModel) = (tokenizer, textModel);
    }

    /// <inheritdoc/>
    public int? LargestClipSkip => _textModel.Layers;

    /// <summary>The hidden states of captions. Chunks are encoded one by one and joined without their inner start and end; the final norm
    /// follows in any case.</summary>
    /// <inheritdoc/>
    public TextConditions Encode(IReadOnlyList<string> captions, int? clipSkip = null, int maxTokenLength = ClipTokenizer.ChunkBodyLength)
    {
        using var scope = NewDisposeScope();
        var ids = PromptChunks.Ids([.. captions.Select(caption => _tokenizer.EncodePadded(caption, maxTokenLength))], _textModel);
        return EncodeIds(ids, clipSkip).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public TextConditions EncodeWeighted(
        IReadOnlyList<string> captions, int? clipSkip = null, int maxTokenLength = ClipTokenizer.ChunkBodyLength, bool rescale = false)
    {
        using var scope = NewDisposeScope();
        var tokens = captions.Select(caption => _tokenizer.EncodeWeighted(caption, maxTokenLength)).ToArray();
        var states = EncodeIds(PromptChunks.Ids([.. tokens.Select(sample => sample.Ids)], _textModel), clipSkip).Context;
        var weights = PromptChunks.Join(PromptChunks.Weights([.. tokens.Select(sample => sample.Weights)], states.device));   // [B, L, 1]
        return new TextConditions(PromptChunks.Weigh(states, weights, rescale)).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public TextConditions EncodeUnpadded(IReadOnlyList<string> captions, int? clipSkip = null, bool weighted = false)
    {
        using var scope = NewDisposeScope();
        var text = weighted ? EncodeWeighted(captions, clipSkip) : Encode(captions, clipSkip);
        // The encoder looks at what stands before a place only: padding changes nothing of the text before it.
        var places = PromptChunks.LongestBody(captions, _tokenizer, weighted) + 2;
        return new TextConditions(text.Context.narrow(1L, 0, places).contiguous()).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// The hidden states of prompts for sampling, as sd-scripts' pipeline computes them: weighted, scaled back to the mean they had
    /// without weights, as many
    /// chunks of 77 as the longest prompt needs, each chunk with its own start and end, and filled with the end token (in SD 2 too).
    /// </summary>
    /// <inheritdoc/>
    public TextConditions EncodeForSampling(IReadOnlyList<string> prompts, int? clipSkip = null)
    {
        using var scope = NewDisposeScope();
        var length = PromptChunks.CountForSampling(prompts, _tokenizer) * ClipTokenizer.ChunkBodyLength;
        // The reference's sampling fills with the end token in SD 2 too, where its training fills with "!".
        var tokens = prompts.Select(prompt => _tokenizer.EncodeWeighted(prompt, length, _tokenizer.EndId)).ToArray();
        // [B, n · 77, C]
        var states = PromptChunks.Row(Run(PromptChunks.Ids([.. tokens.Select(sample => sample.Ids)], _textModel), clipSkip));
        // [B, n · 77, 1]
        var weights = PromptChunks.Row(PromptChunks.Weights([.. tokens.Select(sample => sample.Weights)], states.device));
        return new TextConditions(PromptChunks.Weigh(states, weights, rescale: true)).MoveToOuterDisposeScope();
    }

    /// <summary>The hidden states of token ids that are in chunks already.</summary>
    /// <param name="inputIds">[B, n, 77], int64.</param>
    /// <param name="clipSkip">See <see cref="Encode"/>.</param>
    /// <returns>[B, n · 75 + 2, C].</returns>
    /// <exception cref="ArgumentException">The ids have another shape.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="clipSkip"/> is outside its range.</exception>
    public TextConditions EncodeIds(Tensor inputIds, int? clipSkip = null)
    {
        PromptChunks.CheckShape(inputIds);
        using var scope = NewDisposeScope();
        return new TextConditions(PromptChunks.Join(Run(inputIds, clipSkip))).MoveToOuterDisposeScope();
    }

    /// <summary>Ids [B, n, 77] to hidden states [B, n, 77, C].</summary>
    private Tensor Run(Tensor inputIds, int? clipSkip)
    {
        using var scope = NewDisposeScope();
        var states = _textModel.HiddenState(inputIds.flatten(0, 1), clipSkip ?? 1);
        return states.view(inputIds.shape[0], inputIds.shape[1], inputIds.shape[2], -1).MoveToOuterDisposeScope();
    }
}

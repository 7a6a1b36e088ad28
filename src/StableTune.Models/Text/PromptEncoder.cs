namespace StableTune.Models;

/// <summary>Captions and prompts to the hidden states that the UNet attends to (SD 1.x and 2.x), as sd-scripts computes them.</summary>
/// <remarks>Gradients flow where they are enabled; callers that train no text encoder wrap the call in <c>no_grad()</c>.</remarks>
public sealed class PromptEncoder
{
    /// <summary>Chunks of 77 tokens that a prompt for sampling may have, as in the reference.</summary>
    public const int MaxSamplingChunks = 3;

    private readonly ClipTokenizer _tokenizer;
    private readonly ClipTextModel _textModel;

    /// <summary>Creates the encoder. Owns neither of the two.</summary>
    /// <exception cref="ArgumentException">The tokenizer has ids that the text encoder has no embedding for, or the encoder takes fewer than 77 tokens.</exception>
    public PromptEncoder(ClipTokenizer tokenizer, ClipTextModel textModel)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(textModel);
        if (tokenizer.LargestId >= textModel.Options.VocabularySize)
            throw new ArgumentException(
                $"The tokenizer has ids up to {tokenizer.LargestId}, the text encoder embeddings for {textModel.Options.VocabularySize}. Take both from one model.",
                nameof(tokenizer));
        if (textModel.Options.MaxPositions < ClipTokenizer.ChunkLength)
            throw new ArgumentException(
                $"The text encoder takes {textModel.Options.MaxPositions} tokens at most; chunks have {ClipTokenizer.ChunkLength}.",
                nameof(textModel));
        (_tokenizer, _textModel) = (tokenizer, textModel);
    }

    /// <summary>The hidden states of captions.</summary>
    /// <param name="captions">One text a sample; what exceeds the length is cut off.</param>
    /// <param name="clipSkip">Which hidden state: null or 1 for the last layer, 2 for the last but one ...; the final norm follows in any case.</param>
    /// <param name="maxTokenLength">Tokens of text: 75, 150 or 225 (any multiple of 75). Chunks are encoded one by one and joined without their inner start and end.</param>
    /// <returns>[B, maxTokenLength + 2, C], in the type and on the device of the text encoder.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A number is outside its range.</exception>
    public Tensor Encode(IReadOnlyList<string> captions, int? clipSkip = null, int maxTokenLength = ClipTokenizer.ChunkBodyLength) =>
        EncodeChunks([.. captions.Select(caption => _tokenizer.EncodePadded(caption, maxTokenLength))], clipSkip);

    /// <summary>As <see cref="Encode"/>, with brackets that weigh parts of the captions: each hidden vector is multiplied by its token's weight.</summary>
    /// <param name="captions">Such as "a (red:1.3) cat"; see <see cref="PromptAttention"/>.</param>
    /// <param name="clipSkip">See <see cref="Encode"/>.</param>
    /// <param name="maxTokenLength">See <see cref="Encode"/>.</param>
    /// <param name="rescale">Whether each sample is scaled back to the mean it had without weights, as samplers do. Training does not.</param>
    /// <returns>[B, maxTokenLength + 2, C].</returns>
    /// <exception cref="ArgumentOutOfRangeException">A number is outside its range.</exception>
    /// <exception cref="FormatException">A weight is not a number.</exception>
    public Tensor EncodeWeighted(IReadOnlyList<string> captions, int? clipSkip = null, int maxTokenLength = ClipTokenizer.ChunkBodyLength, bool rescale = false)
    {
        using var scope = NewDisposeScope();
        var tokens = captions.Select(caption => _tokenizer.EncodeWeighted(caption, maxTokenLength)).ToArray();
        var states = EncodeChunks([.. tokens.Select(sample => sample.Ids)], clipSkip);
        var weights = JoinChunks(ToTensor([.. tokens.Select(sample => sample.Weights)], states).unsqueeze(-1));   // [B, L, 1]
        return Weigh(states, weights, rescale).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// The hidden states of prompts for sampling, as sd-scripts' pipeline computes them: weighted, scaled back to the mean they had without weights, as many
    /// chunks of 77 as the longest prompt needs, each chunk with its own start and end, and filled with the end token (in SD 2 too).
    /// </summary>
    /// <param name="prompts">All prompts of one batch, the negative ones too, so that they become equally long.</param>
    /// <param name="clipSkip">See <see cref="Encode"/>.</param>
    /// <returns>[B, 77 · chunks, C], chunks from 1 to <see cref="MaxSamplingChunks"/>. Note: 154 places, where training with 150 tokens has 152.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="clipSkip"/> is outside its range.</exception>
    /// <exception cref="FormatException">A weight is not a number.</exception>
    public Tensor EncodeForSampling(IReadOnlyList<string> prompts, int? clipSkip = null)
    {
        if (prompts.Count == 0) throw new ArgumentException("There are no prompts to encode.", nameof(prompts));
        using var scope = NewDisposeScope();
        var longest = prompts.Max(TokenCount);
        var chunks = Math.Clamp((longest + ClipTokenizer.ChunkBodyLength - 1) / ClipTokenizer.ChunkBodyLength, 1, MaxSamplingChunks);
        // The reference's sampling fills with the end token in SD 2 too, where its training fills with "!".
        var tokens = prompts.Select(prompt => _tokenizer.EncodeWeighted(prompt, chunks * ClipTokenizer.ChunkBodyLength, _tokenizer.EndId)).ToArray();
        var states = Run(ToTensor([.. tokens.Select(sample => sample.Ids)]), clipSkip).flatten(1, 2);                // [B, n · 77, C]
        var weights = ToTensor([.. tokens.Select(sample => sample.Weights)], states).flatten(1, 2).unsqueeze(-1);   // [B, n · 77, 1]
        return Weigh(states, weights, rescale: true).MoveToOuterDisposeScope();
    }

    /// <summary>The hidden states of token ids that are in chunks already.</summary>
    /// <param name="inputIds">[B, n, 77], int64.</param>
    /// <param name="clipSkip">See <see cref="Encode"/>.</param>
    /// <returns>[B, n · 75 + 2, C].</returns>
    /// <exception cref="ArgumentException">The ids have another shape.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="clipSkip"/> is outside its range.</exception>
    public Tensor EncodeIds(Tensor inputIds, int? clipSkip = null)
    {
        if (inputIds.dim() != 3 || inputIds.shape[2] != ClipTokenizer.ChunkLength)
            throw new ArgumentException(
                $"The token ids have the shape [{string.Join(", ", inputIds.shape)}] instead of [B, chunks, 77].", nameof(inputIds));
        using var scope = NewDisposeScope();
        return JoinChunks(Run(inputIds, clipSkip)).MoveToOuterDisposeScope();
    }

    private Tensor EncodeChunks(long[][][] ids, int? clipSkip)
    {
        if (ids.Length == 0) throw new ArgumentException("There are no captions to encode.");
        using var scope = NewDisposeScope();
        return EncodeIds(ToTensor(ids), clipSkip).MoveToOuterDisposeScope();
    }

    /// <summary>Ids [B, n, 77] to hidden states [B, n, 77, C].</summary>
    private Tensor Run(Tensor inputIds, int? clipSkip)
    {
        using var scope = NewDisposeScope();
        var states = _textModel.HiddenState(inputIds.flatten(0, 1), clipSkip ?? 1);
        return states.view(inputIds.shape[0], inputIds.shape[1], inputIds.shape[2], -1).MoveToOuterDisposeScope();
    }

    /// <summary>[B, n, 77, C] to [B, n · 75 + 2, C]: the start of the first chunk, the text of each, the end of the last.</summary>
    private static Tensor JoinChunks(Tensor chunks)
    {
        using var scope = NewDisposeScope();
        var count = chunks.shape[1];
        if (count == 1) return chunks.squeeze(1).MoveToOuterDisposeScope();
        var body = chunks.narrow(2, 1, ClipTokenizer.ChunkBodyLength).flatten(1, 2);
        var start = chunks.select(1, 0).narrow(1, 0, 1);
        var end = chunks.select(1, count - 1).narrow(1, ClipTokenizer.ChunkLength - 1, 1);
        return cat([start, body, end], 1).MoveToOuterDisposeScope();
    }

    private static Tensor Weigh(Tensor states, Tensor weights, bool rescale)
    {
        using var scope = NewDisposeScope();
        var weighted = states * weights.to(states.dtype);
        if (!rescale) return weighted.MoveToOuterDisposeScope();
        // Over all places and channels of a sample.
        var before = states.to(ScalarType.Float32).mean([1, 2], keepdim: true);
        var after = weighted.to(ScalarType.Float32).mean([1, 2], keepdim: true);
        return (weighted * (before / after).to(states.dtype)).MoveToOuterDisposeScope();
    }

    private int TokenCount(string prompt) => PromptAttention.Parse(prompt).Sum(part => _tokenizer.EncodeBody(part.Text).Count);

    private Tensor ToTensor(long[][][] ids) =>
        tensor(ids.SelectMany(chunks => chunks).SelectMany(row => row).ToArray(), [ids.Length, ids[0].Length, ClipTokenizer.ChunkLength],
            dtype: ScalarType.Int64, device: _textModel.TextModel.Embeddings.Tokens.weight.device);

    private static Tensor ToTensor(float[][][] weights, Tensor like) =>
        tensor(weights.SelectMany(chunks => chunks).SelectMany(row => row).ToArray(), [weights.Length, weights[0].Length, ClipTokenizer.ChunkLength],
            dtype: ScalarType.Float32, device: like.device);
}

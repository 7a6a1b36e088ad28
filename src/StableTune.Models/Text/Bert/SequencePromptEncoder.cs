using StableTune.Tensors;

namespace StableTune.Models;

/// <summary>Captions and prompts to the hidden states of a text encoder that takes long texts in one piece, such as BERT's (Chinese
/// models).</summary>
/// <remarks>
/// Where CLIP's encoder takes a long text in chunks of 77, this one takes it as one row of as many places as were asked for. Whether
/// padding is hidden is
/// the model's affair, see <see cref="MaskedTextModel.UseAttentionMask"/>. Gradients flow where they are enabled.
/// </remarks>
public sealed class SequencePromptEncoder : IPromptEncoder
{
    private readonly ITextTokenizer _tokenizer;
    private readonly TextModel _textModel;

    /// <summary>Creates the encoder. Owns neither of the two.</summary>
    /// <param name="tokenizer">Gives one row a text, however long: a <see cref="SequenceTokenizer"/>, or a host's own that does so.</param>
    /// <param name="textModel">The text encoder.</param>
    /// <exception cref="ArgumentException">The tokenizer has ids that the text encoder has no embedding for, or the encoder takes fewer
    /// than 77 tokens.</exception>
    public SequencePromptEncoder(ITextTokenizer tokenizer, TextModel textModel)
    {
        PromptChunks.CheckFit(tokenizer, textModel);
        (_tokenizer, _textModel) = (tokenizer, textModel);
    }

    /// <inheritdoc/>
    public int? LargestClipSkip => _textModel.Layers;

    /// <summary>The hidden states of captions, each one row of <paramref name="maxTokenLength"/> + 2 places.</summary>
    /// <inheritdoc/>
    public TextConditions Encode(IReadOnlyList<string> captions, int? clipSkip = null, int maxTokenLength = ClipTokenizer.ChunkBodyLength)
    {
        CheckLength(maxTokenLength);
        using var scope = NewDisposeScope();
        return new TextConditions(Run([.. captions.Select(caption => _tokenizer.EncodePadded(caption, maxTokenLength))], clipSkip))
            .MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public TextConditions EncodeWeighted(
        IReadOnlyList<string> captions, int? clipSkip = null, int maxTokenLength = ClipTokenizer.ChunkBodyLength, bool rescale = false)
    {
        CheckLength(maxTokenLength);
        using var scope = NewDisposeScope();
        var tokens = captions.Select(caption => _tokenizer.EncodeWeighted(caption, maxTokenLength)).ToArray();
        var states = Run([.. tokens.Select(sample => sample.Ids)], clipSkip);
        var weights = tensor(
            tokens.SelectMany(sample => sample.Weights).SelectMany(row => row).ToArray(), [tokens.Length, maxTokenLength + 2, 1],
            dtype: ScalarType.Float32, device: states.device);
        return new TextConditions(PromptChunks.Weigh(states, weights, rescale)).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public TextConditions EncodeUnpadded(IReadOnlyList<string> captions, int? clipSkip = null, bool weighted = false)
    {
        var length = Math.Max(1, PromptChunks.LongestBody(captions, _tokenizer, weighted));
        return weighted ? EncodeWeighted(captions, clipSkip, length) : Encode(captions, clipSkip, length);
    }

    /// <summary>
    /// The hidden states of prompts for sampling: weighted, and scaled back to the mean they had without weights. The row is as long as
    /// the longest prompt needs in steps of 75 tokens: 77, 152 or 227 places, but no more than the encoder takes.
    /// </summary>
    /// <inheritdoc/>
    public TextConditions EncodeForSampling(IReadOnlyList<string> prompts, int? clipSkip = null)
    {
        var wanted = PromptChunks.CountForSampling(prompts, _tokenizer) * ClipTokenizer.ChunkBodyLength;
        return EncodeWeighted(prompts, clipSkip, Math.Min(wanted, _textModel.MaxPositions - 2), rescale: true);
    }

    /// <summary>Rows of ids to hidden states [B, L, C].</summary>
    private Tensor Run(long[][][] ids, int? clipSkip)
    {
        if (ids.Length == 0) throw new ArgumentException("There are no captions to encode.");
        using var scope = NewDisposeScope();
        var rows = tensor(
            ids.SelectMany(sample => sample).SelectMany(row => row).ToArray(), [ids.Length, ids[0][0].Length],
            dtype: ScalarType.Int64, device: _textModel.TokenEmbedding.weight.device);
        return _textModel.HiddenState(rows, clipSkip ?? 1).MoveToOuterDisposeScope();
    }

    private void CheckLength(int maxTokenLength)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxTokenLength, 1);
        if (maxTokenLength + 2 > _textModel.MaxPositions)
            throw new ArgumentOutOfRangeException(
                nameof(maxTokenLength), maxTokenLength,
                $"The text encoder ({_textModel.GetName()}) takes {_textModel.MaxPositions} places, which is "
                    + $"{_textModel.MaxPositions - 2} tokens of text between start and end.");
    }
}

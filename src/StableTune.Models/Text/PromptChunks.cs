namespace StableTune.Models;

/// <summary>Chunks of 77 tokens as tensors: what prompt encoders have in common.</summary>
internal static class PromptChunks
{
    /// <summary>Refuses a tokenizer and a text encoder that cannot work together.</summary>
    /// <exception cref="ArgumentException">The tokenizer has ids that the text encoder has no embedding for, or the encoder takes fewer
    /// than 77 tokens.</exception>
    public static void CheckFit(ITextTokenizer tokenizer, TextModel textModel)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(textModel);
        if (tokenizer.LargestId >= textModel.VocabularySize)
            throw new ArgumentException(
                $"The tokenizer has ids up to {tokenizer.LargestId}, the text encoder embeddings for {textModel.VocabularySize}. Take "
                    + $"both from one model.",
                nameof(tokenizer));
        if (textModel.MaxPositions < ClipTokenizer.ChunkLength)
            throw new ArgumentException(
                $"The text encoder takes {textModel.MaxPositions} tokens at most; chunks have {ClipTokenizer.ChunkLength}.",
                nameof(textModel));
    }

    /// <summary>Refuses ids that are not in chunks.</summary>
    /// <exception cref="ArgumentException">The ids are not of the shape [B, n, 77].</exception>
    public static void CheckShape(Tensor inputIds)
    {
        if (inputIds.dim() != 3 || inputIds.shape[2] != ClipTokenizer.ChunkLength)
            throw new ArgumentException(
                $"The token ids have the shape [{string.Join(", ", inputIds.shape)}] instead of [B, chunks, 77].", nameof(inputIds));
    }

    /// <summary>[B, n, 77], int64, where the text encoder's embedding lies.</summary>
    /// <exception cref="ArgumentException">There are no captions.</exception>
    public static Tensor Ids(IReadOnlyList<long[][]> ids, TextModel textModel)
    {
        if (ids.Count == 0) throw new ArgumentException("There are no captions to encode.");
        return tensor(ids.SelectMany(chunks => chunks).SelectMany(row => row).ToArray(),
            [ids.Count, ids[0].Length, ClipTokenizer.ChunkLength],
            dtype: ScalarType.Int64, device: textModel.TokenEmbedding.weight.device);
    }

    /// <summary>[B, n, 77, 1], float32.</summary>
    public static Tensor Weights(IReadOnlyList<float[][]> weights, Device device) =>
        tensor(weights.SelectMany(chunks => chunks).SelectMany(row => row).ToArray(),
            [weights.Count, weights[0].Length, ClipTokenizer.ChunkLength, 1],
            dtype: ScalarType.Float32, device: device);

    /// <summary>[B, n, 77, C] to [B, n · 75 + 2, C]: the start of the first chunk, the text of each, the end of the last.</summary>
    public static Tensor Join(Tensor chunks)
    {
        using var scope = NewDisposeScope();
        var count = chunks.shape[1];
        if (count == 1) return chunks.squeeze(1).MoveToOuterDisposeScope();
        var body = chunks.narrow(2, 1, ClipTokenizer.ChunkBodyLength).flatten(1, 2);
        var start = chunks.select(1, 0).narrow(1, 0, 1);
        var end = chunks.select(1, count - 1).narrow(1, ClipTokenizer.ChunkLength - 1, 1);
        return cat([start, body, end], 1).MoveToOuterDisposeScope();
    }

    /// <summary>[B, n, 77, C] to [B, n · 77, C]: all chunks, each with its own start and end.</summary>
    public static Tensor Row(Tensor chunks) => chunks.flatten(1, 2);

    /// <summary>States [B, L, C] times weights [B, L, 1].</summary>
    /// <param name="states">The states.</param>
    /// <param name="weights">The weights.</param>
    /// <param name="rescale">Whether each sample is scaled back to the mean it had, over all places and channels.</param>
    public static Tensor Weigh(Tensor states, Tensor weights, bool rescale)
    {
        using var scope = NewDisposeScope();
        var weighted = states * weights.to(states.dtype);
        if (!rescale) return weighted.MoveToOuterDisposeScope();
        var before = states.to(ScalarType.Float32).mean([1, 2], keepdim: true);
        var after = weighted.to(ScalarType.Float32).mean([1, 2], keepdim: true);
        return (weighted * (before / after).to(states.dtype)).MoveToOuterDisposeScope();
    }

    /// <summary>The tokens of the longest of some captions, without start and end; at most 75.</summary>
    public static int LongestBody(IReadOnlyList<string> captions, ITextTokenizer tokenizer, bool weighted)
    {
        int Count(string caption) => weighted ? PromptAttention.Parse(caption).Sum(part => tokenizer.EncodeBody(part.Text).Count)
            : tokenizer.EncodeBody(caption).Count;
        return Math.Min(captions.Max(Count), ClipTokenizer.ChunkBodyLength);
    }

    /// <summary>The chunks that the longest of some prompts needs, 1 to <see cref="PromptEncoder.MaxSamplingChunks"/>.</summary>
    public static int CountForSampling(IReadOnlyList<string> prompts, ITextTokenizer tokenizer)
    {
        if (prompts.Count == 0) throw new ArgumentException("There are no prompts to encode.", nameof(prompts));
        var longest = prompts.Max(prompt => PromptAttention.Parse(prompt).Sum(part => tokenizer.EncodeBody(part.Text).Count));
        return Math.Clamp((longest + ClipTokenizer.ChunkBodyLength - 1) / ClipTokenizer.ChunkBodyLength, 1,
            PromptEncoder.MaxSamplingChunks);
    }
}

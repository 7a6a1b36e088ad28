namespace StableTune.Models;

/// <summary>Cuts token ids into chunks of 77 as sd-scripts does, quirks included.</summary>
internal static class TokenChunks
{
    private const int Body = ClipTokenizer.ChunkBodyLength;

    /// <summary>Rows of start, 75 ids, end.</summary>
    /// <param name="tokenizer">Gives start, end and, unless padId is given, padding.</param>
    /// <param name="body">The ids of the text, without start and end.</param>
    /// <param name="maxTokenLength">Tokens of text.</param>
    /// <param name="padId">What fills the rows; null for the tokenizer's padding.</param>
    /// <exception cref="ArgumentOutOfRangeException">The length is not a positive multiple of 75.</exception>
    public static long[][] Cut(ITextTokenizer tokenizer, IReadOnlyList<int> body, int maxTokenLength, int? padId = null)
    {
        var count = Count(maxTokenLength);
        var pad = padId ?? tokenizer.PadId;
        long At(int index) => index < body.Count ? body[index] : index == body.Count ? tokenizer.EndId : pad;

        // The last id of the row before it is cut: the end token where the text fills it, else padding.
        var last = body.Count >= maxTokenLength ? tokenizer.EndId : pad;
        var chunks = new long[count][];
        for (var chunk = 0; chunk < count; chunk++)
        {
            var row = chunks[chunk] = new long[ClipTokenizer.ChunkLength];
            row[0] = tokenizer.StartId;
            for (var i = 0; i < Body; i++) row[i + 1] = At(chunk * Body + i);
            row[^1] = last;
            if (count > 1 && pad != tokenizer.EndId) Repair(row, tokenizer.EndId, pad);
        }

        return chunks;
    }

    /// <summary>The weights of such rows: 1 for start, end and padding.</summary>
    public static float[][] CutWeights(IReadOnlyList<float> weights, int maxTokenLength)
    {
        var chunks = new float[Count(maxTokenLength)][];
        for (var chunk = 0; chunk < chunks.Length; chunk++)
        {
            chunks[chunk] = new float[ClipTokenizer.ChunkLength];
            Array.Fill(chunks[chunk], 1f);
            for (var i = 0; i < Body && chunk * Body + i < weights.Count; i++) chunks[chunk][i + 1] = weights[chunk * Body + i];
        }

        return chunks;
    }

    // Only where padding is not the end token: a chunk full of text ends with it, and so does an empty one, at once.
    private static void Repair(long[] row, int end, int pad)
    {
        if (row[^2] != end && row[^2] != pad) row[^1] = end;
        if (row[1] == pad) row[1] = end;
    }

    private static int Count(int maxTokenLength)
    {
        if (maxTokenLength <= 0 || maxTokenLength % Body != 0)
            throw new ArgumentOutOfRangeException(
                nameof(maxTokenLength), maxTokenLength, "The number of tokens must be a positive multiple of 75: 75, 150 or 225.");
        return maxTokenLength / Body;
    }
}

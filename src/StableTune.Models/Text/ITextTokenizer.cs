namespace StableTune.Models;

/// <summary>A tokenizer: text to token ids, with start and end, padded and cut into chunks of 77. Threads may share one.</summary>
public interface ITextTokenizer
{
    /// <summary>The id that begins every text.</summary>
    int StartId { get; }

    /// <summary>The id that ends every text.</summary>
    int EndId { get; }

    /// <summary>The id that fills chunks.</summary>
    int PadId { get; }

    /// <summary>The largest id that can occur; a text encoder needs more embeddings than this.</summary>
    int LargestId { get; }

    /// <summary>Whole words with ids of their own, beside the vocabulary.</summary>
    IReadOnlyDictionary<string, int> AddedTokens { get; }

    /// <summary>The ids of a text between start and end, not padded and not truncated.</summary>
    int[] Encode(string text);

    /// <summary>The ids of a text without start and end.</summary>
    IReadOnlyList<int> EncodeBody(string text);

    /// <summary>The ids of a text in chunks of 77.</summary>
    /// <param name="text">Any text; what does not fit is cut off.</param>
    /// <param name="maxTokenLength">Tokens of text: 75, 150 or 225 (any multiple of 75).</param>
    /// <returns>maxTokenLength / 75 rows of 77 ids; rows beyond the text hold padding.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxTokenLength"/> is not a positive multiple of 75.</exception>
    long[][] EncodePadded(string text, int maxTokenLength = ClipTokenizer.ChunkBodyLength);

    /// <summary>The ids of a text with brackets that weigh its parts, see <see cref="PromptAttention"/>, and the weight of each
    /// id.</summary>
    /// <param name="text">Such as "a (red:1.3) [blurry] cat". Each part of one weight is tokenized on its own.</param>
    /// <param name="maxTokenLength">Tokens of text: 75, 150 or 225 (any multiple of 75).</param>
    /// <param name="padId">What fills the rows; null for <see cref="PadId"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxTokenLength"/> is not a positive multiple of 75.</exception>
    /// <exception cref="FormatException">A weight is not a number, or brackets are nested too deep.</exception>
    WeightedTokens EncodeWeighted(string text, int maxTokenLength = ClipTokenizer.ChunkBodyLength, int? padId = null);

    /// <summary>This tokenizer with further whole words, as textual inversion adds; of several at one place the longest counts.</summary>
    /// <param name="tokens">Words and their ids; they replace <see cref="AddedTokens"/> of the same name.</param>
    ITextTokenizer WithAddedTokens(IReadOnlyDictionary<string, int> tokens);
}

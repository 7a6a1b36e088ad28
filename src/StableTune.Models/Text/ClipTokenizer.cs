namespace StableTune.Models;

/// <summary>CLIP's tokenizer: text to token ids, with start and end, padded and cut into chunks of 77.</summary>
/// <remarks>
/// The ids are those of <c>transformers</c>' <c>CLIPTokenizer</c>: form C, white space to single blanks, lower case, CLIP's word pattern,
/// byte-pair encoding. OpenAI's own tokenizer also repairs broken encodings and HTML entities; this one does not. Threads may share one
/// tokenizer.
/// </remarks>
public sealed class ClipTokenizer : ITextTokenizer
{
    /// <summary>Tokens in one chunk, start and end included: the text encoder's positions.</summary>
    public const int ChunkLength = 77;

    /// <summary>Tokens of text in one chunk.</summary>
    public const int ChunkBodyLength = ChunkLength - 2;

    private static readonly Lazy<ClipTokenizer> SharedSd1 = new(() => new ClipTokenizer(ClipVocabulary.Full, ClipVocabulary.EndToken));
    private static readonly Lazy<ClipTokenizer> SharedSd2 = new(() => new ClipTokenizer(ClipVocabulary.Full, "!"));

    private readonly BytePairEncoder _encoder;
    private readonly KeyValuePair<string, int>[] _fixedWords;   // start, end, and the pad token where it is a special word
    private readonly SpecialWords _special;

    /// <summary>Creates a tokenizer.</summary>
    /// <param name="vocabulary">Tokens and merges.</param>
    /// <param name="padToken">The token that fills chunks. Like start and end it is a special word: it is cut out wherever it stands in a
    /// text.</param>
    /// <param name="addedTokens">Further whole words with ids of their own, as textual inversion adds; the longest match wins.</param>
    /// <exception cref="ArgumentException">The pad token is not in the vocabulary.</exception>
    public ClipTokenizer(ClipVocabulary vocabulary, string padToken = ClipVocabulary.EndToken, IReadOnlyDictionary<string,
        int>? addedTokens = null)
    {
        Vocabulary = vocabulary;
        AddedTokens = addedTokens ?? new Dictionary<string, int>();
        StartId = vocabulary.Ids[ClipVocabulary.StartToken];
        EndId = vocabulary.Ids[ClipVocabulary.EndToken];
        if (!AddedTokens.TryGetValue(padToken, out var padId) && !vocabulary.Ids.TryGetValue(padToken, out padId))
            throw new ArgumentException($"The pad token \"{padToken}\" is not in the vocabulary.", nameof(padToken));
        PadId = padId;
        LargestId = Math.Max(vocabulary.Ids.Values.Max(), AddedTokens.Values.DefaultIfEmpty().Max());
        _encoder = vocabulary.Encoder;
        _fixedWords = [new(ClipVocabulary.StartToken, StartId), new(ClipVocabulary.EndToken, EndId), new(padToken, padId)];
        _special = new SpecialWords([.. AddedTokens, .. _fixedWords]);
    }

    private ClipTokenizer(ClipTokenizer original, int padId, IReadOnlyDictionary<string, int> addedTokens, KeyValuePair<string,
        int>[] fixedWords)
    {
        (Vocabulary, StartId, EndId) = (original.Vocabulary, original.StartId, original.EndId);
        (_encoder, PadId, AddedTokens, _fixedWords) = (original._encoder, padId, addedTokens, fixedWords);
        LargestId = Math.Max(original.LargestId, addedTokens.Values.DefaultIfEmpty().Max());
        _special = new SpecialWords([.. AddedTokens, .. _fixedWords]);
    }

    /// <summary>Tokens and merges.</summary>
    public ClipVocabulary Vocabulary { get; }

    /// <summary>Whole words with ids of their own, beside the vocabulary.</summary>
    public IReadOnlyDictionary<string, int> AddedTokens { get; }

    /// <summary>The id that begins every text; 49406 in the full vocabulary.</summary>
    public int StartId { get; }

    /// <summary>The id that ends every text; 49407 in the full vocabulary.</summary>
    public int EndId { get; }

    /// <summary>The id that fills chunks: <see cref="EndId"/> in SD 1, 0 ("!") in SD 2.</summary>
    public int PadId { get; }

    /// <summary>The largest id that can occur; a text encoder needs more embeddings than this.</summary>
    public int LargestId { get; }

    /// <summary>The tokenizer of SD 1.x and of SDXL's first encoder: full vocabulary, padded with the end token.</summary>
    public static ClipTokenizer Sd1() => SharedSd1.Value;

    /// <summary>The tokenizer of SD 2.x: full vocabulary, padded with "!" (id 0), which is cut out of texts as a special word.</summary>
    public static ClipTokenizer Sd2() => SharedSd2.Value;

    /// <summary>Reads a model's tokenizer folder.</summary>
    /// <param name="folder">Holds <c>vocab.json</c> and <c>merges.txt</c>, or else a <c>tokenizer.json</c> of kind BPE;
    /// <c>special_tokens_map.json</c>, <c>tokenizer_config.json</c> and <c>added_tokens.json</c> are read when present.</param>
    /// <exception cref="InvalidFileException">A file is missing or corrupt, or they do not belong together.</exception>
    public static ClipTokenizer FromFolder(string folder) => ClipTokenizerFolder.Read(folder);

    /// <summary>This tokenizer with another padding id, which is not a special word: what SDXL's second encoder is given (id 0).</summary>
    /// <param name="padId">An id of the vocabulary, 0 to <see cref="LargestId"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such id.</exception>
    public ClipTokenizer WithPadId(int padId)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(padId);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(padId, LargestId);
        return new ClipTokenizer(this, padId, AddedTokens, _fixedWords[..2]);
    }

    /// <summary>This tokenizer with further whole words, as textual inversion adds; of several at one place the longest counts.</summary>
    /// <param name="tokens">Words and their ids; they replace <see cref="AddedTokens"/> of the same name.</param>
    public ClipTokenizer WithAddedTokens(IReadOnlyDictionary<string, int> tokens)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        var all = new Dictionary<string, int>(AddedTokens, StringComparer.Ordinal);
        foreach (var (word, id) in tokens) all[word] = id;
        return new ClipTokenizer(this, PadId, all, _fixedWords);
    }

    ITextTokenizer ITextTokenizer.WithAddedTokens(IReadOnlyDictionary<string, int> tokens) => WithAddedTokens(tokens);

    /// <summary>The ids of a text between start and end, not padded and not truncated.</summary>
    public int[] Encode(string text) => [StartId, .. EncodeBody(text), EndId];

    /// <summary>The ids of a text without start and end.</summary>
    public IReadOnlyList<int> EncodeBody(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var ids = new List<int>();
        foreach (var (piece, specialId) in _special.Split(text))
        {
            if (specialId is { } id) ids.Add(id);
            else EncodeWords(ClipWordSplitter.Normalize(piece), ids);
        }

        return ids;
    }

    /// <summary>The ids of a text in chunks of 77, cut and padded as sd-scripts does.</summary>
    /// <param name="text">Any text; what does not fit is cut off.</param>
    /// <param name="maxTokenLength">Tokens of text: 75, 150 or 225 (any multiple of 75).</param>
    /// <returns>maxTokenLength / 75 rows of 77 ids; rows beyond the text hold padding.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxTokenLength"/> is not a positive multiple of 75.</exception>
    public long[][] EncodePadded(string text, int maxTokenLength = ChunkBodyLength) =>
        TokenChunks.Cut(this, EncodeBody(text), maxTokenLength);

    /// <summary>The ids of a text with brackets that weigh its parts, see <see cref="PromptAttention"/>, and the weight of each
    /// id.</summary>
    /// <param name="text">Such as "a (red:1.3) [blurry] cat". Each part of one weight is tokenized on its own.</param>
    /// <param name="maxTokenLength">Tokens of text: 75, 150 or 225 (any multiple of 75).</param>
    /// <param name="padId">What fills the rows; null for <see cref="PadId"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxTokenLength"/> is not a positive multiple of 75.</exception>
    /// <exception cref="FormatException">A weight is not a number, or brackets are nested too deep.</exception>
    public WeightedTokens EncodeWeighted(string text, int maxTokenLength = ChunkBodyLength, int? padId = null)
    {
        var (ids, weights) = (new List<int>(), new List<float>());
        foreach (var part in PromptAttention.Parse(text))
        {
            ids.AddRange(EncodeBody(part.Text));
            while (weights.Count < ids.Count) weights.Add((float)part.Weight);
        }

        return new WeightedTokens(TokenChunks.Cut(this, ids, maxTokenLength, padId), TokenChunks.CutWeights(weights, maxTokenLength));
    }

    private void EncodeWords(string text, List<int> into)
    {
        for (var position = 0; ;)
        {
            var word = ClipWordSplitter.Next(text, ref position);
            if (word.IsEmpty) return;
            _encoder.Encode(word, into);
        }
    }
}

namespace StableTune.Models;

/// <summary>A tokenizer whose texts are one row of ids, however long: start, text, end, padding. What BERT's and RoBERTa's have in
/// common.</summary>
/// <remarks>
/// CLIP's encoders take 77 places and longer texts in chunks; these take 512 and more, so that a text of up to 510 tokens is one row.
/// Threads may share one
/// tokenizer.
/// </remarks>
public abstract class SequenceTokenizer : ITextTokenizer
{
    private readonly SpecialWords _special;
    private readonly HashSet<int> _leftStripped;

    /// <summary>Creates a tokenizer.</summary>
    /// <param name="vocabularySize">One more than the largest id of the vocabulary.</param>
    /// <param name="special">The ids of start, end and padding, and all words that are cut out of texts as they stand.</param>
    private protected SequenceTokenizer(int vocabularySize, SequenceTokens special)
    {
        (StartId, EndId, PadId, AddedTokens) = (special.Start, special.End, special.Pad, special.Added);
        LargestId = Math.Max(vocabularySize - 1, special.Added.Values.DefaultIfEmpty().Max());
        _special = new SpecialWords([.. special.Added, .. special.Words]);
        _leftStripped = [.. special.LeftStripped];
    }

    /// <summary>The id that begins every text.</summary>
    public int StartId { get; }

    /// <summary>The id that ends every text.</summary>
    public int EndId { get; }

    /// <summary>The id that fills rows.</summary>
    public int PadId { get; }

    /// <summary>The largest id that can occur; a text encoder needs more embeddings than this.</summary>
    public int LargestId { get; }

    /// <summary>Whole words with ids of their own, beside the vocabulary.</summary>
    public IReadOnlyDictionary<string, int> AddedTokens { get; }

    /// <summary>The longest row that the tokenizer's files name (<c>model_max_length</c>), start and end included; null where they name
    /// none.</summary>
    public int? ModelMaxLength { get; init; }

    /// <summary>Reads a model's tokenizer folder; its files tell which tokenizer it is.</summary>
    /// <param name="folder">
    /// Holds <c>vocab.txt</c> (see <see cref="BertTokenizer"/>), <c>vocab.json</c> and <c>merges.txt</c> (see
    /// <see cref="RobertaTokenizer"/>), or a
    /// <c>tokenizer.json</c> of either kind.
    /// </param>
    /// <exception cref="InvalidFileException">The folder is missing, holds a tokenizer that is not supported, or a file is
    /// corrupt.</exception>
    public static SequenceTokenizer FromFolder(string folder) => SequenceTokenizerFolder.Read(folder);

    /// <summary>The ids of a text between start and end, not padded and not truncated.</summary>
    public int[] Encode(string text) => [StartId, .. EncodeBody(text), EndId];

    /// <summary>The ids of a text without start and end.</summary>
    public IReadOnlyList<int> EncodeBody(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var ids = new List<int>();
        var pieces = _special.Split(text);
        for (var i = 0; i < pieces.Count; i++)
        {
            var (piece, specialId) = pieces[i];
            if (specialId is { } id) ids.Add(id);
            else if (i + 1 < pieces.Count && _leftStripped.Contains(pieces[i + 1].Id!.Value)) EncodePiece(piece.TrimEnd(), ids);
            else EncodePiece(piece, ids);
        }

        return ids;
    }

    /// <summary>The ids of a text as one row of start, text, end and padding.</summary>
    /// <param name="text">Any text; what does not fit is cut off, and the end stays.</param>
    /// <param name="maxTokenLength">Tokens of text, 1 or more; the row has 2 more places. Unlike CLIP's it need be no multiple of
    /// 75.</param>
    /// <returns>One row of <paramref name="maxTokenLength"/> + 2 ids.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxTokenLength"/> is not positive.</exception>
    public long[][] EncodePadded(string text, int maxTokenLength = ClipTokenizer.ChunkBodyLength) =>
        [Row(EncodeBody(text), maxTokenLength, PadId)];

    /// <summary>As <see cref="EncodePadded"/>, with the mask that tells text from padding.</summary>
    /// <param name="text">Any text.</param>
    /// <param name="maxTokenLength">Tokens of text, 1 or more.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxTokenLength"/> is not positive.</exception>
    public TokenRow EncodeRow(string text, int maxTokenLength = ClipTokenizer.ChunkBodyLength)
    {
        var body = EncodeBody(text);
        var ids = Row(body, maxTokenLength, PadId);
        var mask = new long[ids.Length];
        Array.Fill(mask, 1, 0, Math.Min(body.Count, maxTokenLength) + 2);
        return new TokenRow(ids, mask, body.Count);
    }

    /// <summary>The ids of a text with brackets that weigh its parts, see <see cref="PromptAttention"/>, and the weight of each
    /// id.</summary>
    /// <param name="text">Such as "一只(红色:1.3)的猫". Each part of one weight is tokenized on its own.</param>
    /// <param name="maxTokenLength">Tokens of text, 1 or more.</param>
    /// <param name="padId">What fills the row; null for <see cref="PadId"/>.</param>
    /// <returns>One row of <paramref name="maxTokenLength"/> + 2 ids and weights.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxTokenLength"/> is not positive.</exception>
    /// <exception cref="FormatException">A weight is not a number, or brackets are nested too deep.</exception>
    public WeightedTokens EncodeWeighted(string text, int maxTokenLength = ClipTokenizer.ChunkBodyLength, int? padId = null)
    {
        var (ids, weights) = (new List<int>(), new List<float>());
        foreach (var part in PromptAttention.Parse(text))
        {
            ids.AddRange(EncodeBody(part.Text));
            while (weights.Count < ids.Count) weights.Add((float)part.Weight);
        }

        var row = Row(ids, maxTokenLength, padId ?? PadId);
        var rowWeights = new float[row.Length];
        Array.Fill(rowWeights, 1f);
        for (var i = 0; i < weights.Count && i < maxTokenLength; i++) rowWeights[i + 1] = weights[i];
        return new WeightedTokens([row], [rowWeights]);
    }

    /// <summary>This tokenizer with further whole words, as textual inversion adds; of several at one place the longest counts.</summary>
    /// <param name="tokens">Words and their ids; they replace <see cref="AddedTokens"/> of the same name.</param>
    public ITextTokenizer WithAddedTokens(IReadOnlyDictionary<string, int> tokens)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        var added = new Dictionary<string, int>(AddedTokens, StringComparer.Ordinal);
        foreach (var (token, id) in tokens) added[token] = id;
        return WithAll(added);
    }

    /// <summary>This tokenizer with these added words only.</summary>
    private protected abstract SequenceTokenizer WithAll(IReadOnlyDictionary<string, int> added);

    /// <summary>Appends the ids of a text without special words.</summary>
    private protected abstract void EncodePiece(string text, List<int> into);

    private long[] Row(IReadOnlyList<int> body, int maxTokenLength, int pad)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxTokenLength, 1);
        var row = new long[maxTokenLength + 2];
        Array.Fill(row, pad);
        var count = Math.Min(body.Count, maxTokenLength);
        row[0] = StartId;
        for (var i = 0; i < count; i++) row[i + 1] = body[i];
        row[count + 1] = EndId;
        return row;
    }
}

/// <summary>A text as one row of token ids.</summary>
/// <param name="Ids">Start, text, end, padding.</param>
/// <param name="AttentionMask">As <paramref name="Ids"/>: 1 for start, text and end, 0 for padding.</param>
/// <param name="TokenCount">The tokens of the text before it was cut, without start and end.</param>
public sealed record TokenRow(long[] Ids, long[] AttentionMask, int TokenCount);

/// <summary>The tokens of a sequence tokenizer that stand for no text.</summary>
/// <param name="Start">Begins rows.</param>
/// <param name="End">Ends rows.</param>
/// <param name="Pad">Fills rows.</param>
/// <param name="Words">All words of the vocabulary that are cut out of texts as they stand.</param>
/// <param name="Added">Whole words beside the vocabulary.</param>
/// <param name="LeftStripped">Ids of special words that take the white space before them, such as RoBERTa's mask.</param>
internal sealed record SequenceTokens(
    int Start, int End, int Pad, IReadOnlyList<KeyValuePair<string, int>> Words, IReadOnlyDictionary<string, int> Added,
        IReadOnlyList<int> LeftStripped)
{
    /// <summary>The largest id of a vocabulary; 0 for an empty one.</summary>
    public static int LargestOf(IReadOnlyDictionary<string, int> vocabulary)
    {
        ArgumentNullException.ThrowIfNull(vocabulary);
        return vocabulary.Values.DefaultIfEmpty().Max();
    }

    /// <summary>Finds the tokens in a vocabulary; none strips what is left of it.</summary>
    /// <param name="vocabulary">The id of each token.</param>
    /// <param name="required">The tokens that it must have.</param>
    /// <param name="names">Start, end and padding, which are among them, and the mask, which need not be there.</param>
    /// <param name="added">Whole words beside the vocabulary; null for none.</param>
    /// <exception cref="ArgumentException">The vocabulary lacks a token.</exception>
    public static SequenceTokens Of(
        IReadOnlyDictionary<string, int> vocabulary, string[] required, (string Start, string End, string Pad, string Mask) names,
            IReadOnlyDictionary<string, int>? added)
    {
        foreach (var token in required)
            if (!vocabulary.ContainsKey(token))
                throw new ArgumentException($"The vocabulary has no token \"{token}\".", nameof(vocabulary));
        var words = required.Append(names.Mask).Where(vocabulary.ContainsKey)
            .Select(token => KeyValuePair.Create(token, vocabulary[token])).ToArray();
        return new SequenceTokens(vocabulary[names.Start], vocabulary[names.End], vocabulary[names.Pad], words, added
            ?? new Dictionary<string, int>(), LeftStripped: []);
    }
}

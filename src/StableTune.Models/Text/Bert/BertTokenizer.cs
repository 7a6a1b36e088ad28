namespace StableTune.Models;

/// <summary>BERT's tokenizer: text to WordPiece ids between <c>[CLS]</c> and <c>[SEP]</c>, padded with <c>[PAD]</c>.</summary>
/// <remarks>
/// Devlin et al. 2018, arXiv:1810.04805. The tokenizer of Chinese Stable Diffusion models such as Taiyi, and of CompVis' LDM. Each
/// Chinese character is a
/// word, so captions need no blanks between them. Special tokens are cut out of texts as they stand, in upper case. Threads may share one
/// tokenizer.
/// </remarks>
public sealed class BertTokenizer : SequenceTokenizer
{
    private readonly WordPieceEncoder _encoder;
    private readonly Lazy<WordPieceText> _text;

    /// <summary>Creates a tokenizer.</summary>
    /// <param name="vocabulary">The id of each piece; pieces inside a word begin with "##".</param>
    /// <param name="options">How texts are read; null for the defaults of uncased and Chinese models.</param>
    /// <param name="addedTokens">Further whole words with ids of their own, as textual inversion adds; the longest match wins.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    /// <exception cref="ArgumentException">The vocabulary lacks a special token.</exception>
    public BertTokenizer(
        IReadOnlyDictionary<string, int> vocabulary, BertTokenizerOptions? options = null, IReadOnlyDictionary<string,
            int>? addedTokens = null)
        : base(SequenceTokens.LargestOf(vocabulary) + 1, Special(vocabulary, options ??= new BertTokenizerOptions(), addedTokens))
    {
        (Vocabulary, Options) = (vocabulary, options);
        _encoder = new WordPieceEncoder(vocabulary, options, vocabulary[options.UnknownToken]);
        _text = new(() => new WordPieceText(this));
    }

    /// <summary>The id of each piece.</summary>
    public IReadOnlyDictionary<string, int> Vocabulary { get; }

    /// <summary>How texts are read.</summary>
    public BertTokenizerOptions Options { get; }

    /// <summary>Reads a model's tokenizer folder.</summary>
    /// <param name="folder">
    /// Holds <c>vocab.txt</c>, or a <c>tokenizer.json</c> of kind WordPiece; <c>tokenizer_config.json</c>, <c>special_tokens_map.json</c>
    /// and
    /// <c>added_tokens.json</c> are read when present.
    /// </param>
    /// <exception cref="InvalidFileException">A file is missing or corrupt, or they do not belong together.</exception>
    public static new BertTokenizer FromFolder(string folder) => BertTokenizerFolder.Read(folder);

    /// <summary>The text of ids: pieces joined to words, with blanks between words, but not before punctuation.</summary>
    /// <param name="ids">Any ids; special and added words, and ids that the vocabulary lacks, are left out.</param>
    /// <param name="pieceByPiece">
    /// Whether blanks at punctuation are removed within each piece alone, as the tokenizers-backed tokenizer does: "dog ' s" stays so then.
    /// Otherwise in the whole text: "dog's".
    /// </param>
    public string Decode(IEnumerable<int> ids, bool pieceByPiece = false)
    {
        ArgumentNullException.ThrowIfNull(ids);
        return pieceByPiece ? _text.Value.PieceByPiece(ids) : _text.Value.Whole(ids);
    }

    private protected override void EncodePiece(string text, List<int> into)
    {
        var plain = BertWordSplitter.Normalize(text, Options);
        for (var position = 0; ;)
        {
            var word = BertWordSplitter.Next(plain, ref position);
            if (word.IsEmpty) return;
            _encoder.Encode(word, into);
        }
    }

    private protected override SequenceTokenizer WithAll(IReadOnlyDictionary<string, int> added) =>
        new BertTokenizer(Vocabulary, Options, added) { ModelMaxLength = ModelMaxLength };

    private static SequenceTokens Special(
        IReadOnlyDictionary<string, int> vocabulary, BertTokenizerOptions options, IReadOnlyDictionary<string, int>? addedTokens)
    {
        InvalidOptionsException.ThrowIfAny(options.Validate());
        return SequenceTokens.Of(vocabulary, options.RequiredTokens,
            (options.StartToken, options.EndToken, options.PadToken, options.MaskToken), addedTokens);
    }
}

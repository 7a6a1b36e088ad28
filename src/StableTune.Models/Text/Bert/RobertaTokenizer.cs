namespace StableTune.Models;

/// <summary>RoBERTa's tokenizer: text to byte-level byte-pair ids between <c>&lt;s&gt;</c> and <c>&lt;/s&gt;</c>, padded with
/// <c>&lt;pad&gt;</c>.</summary>
/// <remarks>
/// Liu et al. 2019, arXiv:1907.11692, with GPT-2's pattern and bytes (Radford et al. 2019). Case and white space count. Threads may share
/// one tokenizer.
/// </remarks>
public sealed class RobertaTokenizer : SequenceTokenizer
{
    private readonly BytePairEncoder _encoder;

    /// <summary>Creates a tokenizer.</summary>
    /// <param name="vocabulary">The id of each token; bytes are written in GPT-2's printable stand-ins, a blank as "Ġ".</param>
    /// <param name="merges">Best first, each as two tokens with a blank between them.</param>
    /// <param name="options">How texts are read; null for the defaults.</param>
    /// <param name="addedTokens">Further whole words with ids of their own, as textual inversion adds; the longest match wins.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    /// <exception cref="ArgumentException">The vocabulary lacks a special token or a token that a merge needs, or has an id
    /// twice.</exception>
    public RobertaTokenizer(
        IReadOnlyDictionary<string, int> vocabulary, IReadOnlyList<string> merges, RobertaTokenizerOptions? options = null,
        IReadOnlyDictionary<string, int>? addedTokens = null)
        : base(SequenceTokens.LargestOf(vocabulary) + 1, Special(vocabulary, options ??= new RobertaTokenizerOptions(), addedTokens))
    {
        ArgumentNullException.ThrowIfNull(merges);
        if (MissingIn(vocabulary, merges) is { } fault) throw new ArgumentException(fault, nameof(merges));
        if (SharedIn(vocabulary) is { } shared) throw new ArgumentException(shared, nameof(vocabulary));
        (Vocabulary, Merges, Options) = (vocabulary, merges, options);
        _encoder = new BytePairEncoder(vocabulary, merges, endOfWord: null, options.UnknownToken);
    }

    /// <summary>The id of each token.</summary>
    public IReadOnlyDictionary<string, int> Vocabulary { get; }

    /// <summary>The merges, best first.</summary>
    public IReadOnlyList<string> Merges { get; }

    /// <summary>How texts are read.</summary>
    public RobertaTokenizerOptions Options { get; }

    /// <summary>Reads a model's tokenizer folder.</summary>
    /// <param name="folder">
    /// Holds <c>vocab.json</c> and <c>merges.txt</c>, or a <c>tokenizer.json</c> of kind BPE; <c>tokenizer_config.json</c>,
    /// <c>special_tokens_map.json</c> and
    /// <c>added_tokens.json</c> are read when present.
    /// </param>
    /// <exception cref="InvalidFileException">A file is missing or corrupt, or they do not belong together.</exception>
    public static new RobertaTokenizer FromFolder(string folder) => RobertaTokenizerFolder.Read(folder);

    /// <summary>What is wrong with the first merge that the vocabulary does not know; null when it knows all.</summary>
    internal static string? MissingIn(IReadOnlyDictionary<string, int> vocabulary, IReadOnlyList<string> merges)
    {
        foreach (var merge in merges)
        {
            var blank = merge.IndexOf(' ', StringComparison.Ordinal);
            if (blank <= 0 || blank == merge.Length - 1 || merge.IndexOf(' ', blank + 1) >= 0)
                return $"A merge is \"{merge}\" instead of two tokens with a blank between them.";
            foreach (var token in (string[])[merge[..blank], merge[(blank + 1)..], merge.Remove(blank, 1)])
                if (!vocabulary.ContainsKey(token)) return $"The vocabulary has no token \"{token}\", which the merge \"{merge}\" needs.";
        }

        return null;
    }

    private static string? SharedIn(IReadOnlyDictionary<string, int> vocabulary)
    {
        var tokens = new Dictionary<int, string>(vocabulary.Count);
        foreach (var (token, id) in vocabulary)
            if (!tokens.TryAdd(id, token))
                return $"The vocabulary gives the id {id} to \"{tokens[id]}\" and to \"{token}\"; each id stands for one token.";
        return null;
    }

    private protected override void EncodePiece(string text, List<int> into)
    {
        if (text.Length == 0) return;
        if (Options.AddPrefixSpace && text[0] != ' ') text = " " + text;
        for (var position = 0; ;)
        {
            var word = ByteLevelSplitter.Next(text, ref position);
            if (word.IsEmpty) return;
            _encoder.Encode(word, into);
        }
    }

    private protected override SequenceTokenizer WithAll(IReadOnlyDictionary<string, int> added) =>
        new RobertaTokenizer(Vocabulary, Merges, Options, added) { ModelMaxLength = ModelMaxLength };

    private static SequenceTokens Special(
        IReadOnlyDictionary<string, int> vocabulary, RobertaTokenizerOptions options, IReadOnlyDictionary<string, int>? addedTokens)
    {
        InvalidOptionsException.ThrowIfAny(options.Validate());
        var tokens = SequenceTokens.Of(
            vocabulary, options.RequiredTokens, (options.StartToken, options.EndToken, options.PadToken, options.MaskToken), addedTokens);
        return vocabulary.TryGetValue(options.MaskToken, out var mask) ? tokens with { LeftStripped = [mask] } : tokens;
    }
}

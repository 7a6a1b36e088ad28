using StableTune.Models;

namespace StableTune.Models;

/// <summary>How a BERT tokenizer reads texts: <c>tokenizer_config.json</c> as a record.</summary>
public sealed record BertTokenizerOptions : OptionsBase
{
    /// <summary>Whether texts are brought to lower case (<c>do_lower_case</c>).</summary>
    public bool LowerCase { get; init; } = true;

    /// <summary>Whether accents are taken off (<c>strip_accents</c>); null for the same as <see cref="LowerCase"/>.</summary>
    public bool? StripAccents { get; init; }

    /// <summary>Whether each Chinese character is a word (<c>tokenize_chinese_chars</c>).</summary>
    public bool SplitChineseCharacters { get; init; } = true;

    /// <summary>Words of more characters are the unknown token. 100 everywhere.</summary>
    public int MaxWordLength { get; init; } = 100;

    /// <summary>What pieces inside a word begin with.</summary>
    public string ContinuationPrefix { get; init; } = "##";

    /// <summary>Begins every text.</summary>
    public string StartToken { get; init; } = "[CLS]";

    /// <summary>Ends every text.</summary>
    public string EndToken { get; init; } = "[SEP]";

    /// <summary>Fills rows.</summary>
    public string PadToken { get; init; } = "[PAD]";

    /// <summary>Stands for words that the vocabulary has no pieces for.</summary>
    public string UnknownToken { get; init; } = "[UNK]";

    /// <summary>Stands for hidden words; no text encoder needs it, but texts may hold it. Missing in the vocabulary, it is no special
    /// word.</summary>
    public string MaskToken { get; init; } = "[MASK]";

    /// <summary>Start, end, padding and unknown: the tokens that a vocabulary must have.</summary>
    internal string[] RequiredTokens => [StartToken, EndToken, PadToken, UnknownToken];

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (MaxWordLength < 1) yield return Problem(MaxWordLength, "words have at least one character", "100 is customary");
        if (ContinuationPrefix.Length == 0) yield return Problem(
            ContinuationPrefix, "pieces inside a word must differ from those at its start", "use \"##\", as all published vocabularies do");
        foreach (var token in RequiredTokens)
            if (token.Length == 0)
                yield return Problem(token, "a special token is empty", "use [CLS], [SEP], [PAD] and [UNK]", nameof(StartToken));
    }
}

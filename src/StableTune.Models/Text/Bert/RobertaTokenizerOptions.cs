using StableTune.Models;

namespace StableTune.Models;

/// <summary>How a RoBERTa tokenizer reads texts: <c>tokenizer_config.json</c> as a record.</summary>
public sealed record RobertaTokenizerOptions : OptionsBase
{
    /// <summary>Whether the first word is read as if a blank stood before it, as words inside a text are
    /// (<c>add_prefix_space</c>).</summary>
    public bool AddPrefixSpace { get; init; }

    /// <summary>Begins every text.</summary>
    public string StartToken { get; init; } = "<s>";

    /// <summary>Ends every text.</summary>
    public string EndToken { get; init; } = "</s>";

    /// <summary>Fills rows.</summary>
    public string PadToken { get; init; } = "<pad>";

    /// <summary>Stands for bytes that the vocabulary has no symbol for; published ones have all.</summary>
    public string UnknownToken { get; init; } = "<unk>";

    /// <summary>Stands for hidden words, and takes the white space before it. Missing in the vocabulary, it is no special word.</summary>
    public string MaskToken { get; init; } = "<mask>";

    /// <summary>Start, end, padding and unknown: the tokens that a vocabulary must have.</summary>
    internal string[] RequiredTokens => [StartToken, EndToken, PadToken, UnknownToken];

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var token in RequiredTokens)
            if (token.Length == 0)
                yield return Problem(token, "a special token is empty", "use <s>, </s>, <pad> and <unk>", nameof(StartToken));
    }
}

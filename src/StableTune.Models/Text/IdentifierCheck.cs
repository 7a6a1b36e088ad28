namespace StableTune.Models;

/// <summary>What is known of a word that shall stand for a subject.</summary>
/// <param name="Word">The word.</param>
/// <param name="Tokens">Its token ids.</param>
/// <param name="Rank">Its place in the vocabulary where it is one token of CLIP's: the higher, the rarer in what the model has read;
/// otherwise null.</param>
/// <param name="IsFrequent">Whether it is an ordinary word, which the model already has an idea of.</param>
/// <param name="WasTried">Whether others have used it with success.</param>
/// <param name="Warnings">What speaks against it, one sentence each; empty for a good one.</param>
public sealed record IdentifierReport(
    string Word, IReadOnlyList<int> Tokens, int? Rank, bool IsFrequent, bool WasTried, IReadOnlyList<string> Warnings)
{
    /// <summary>Whether it is one token.</summary>
    public bool IsOneToken => Tokens.Count == 1;
}

/// <summary>Looks whether a word makes a good identifier: rare, short, one token, as in "shs dog".</summary>
public static class IdentifierCheck
{
    private const int LongestAdvised = 3;

    /// <summary>Tokens are numbered in the order in which they were found worth one: the first are letters and the commonest
    /// words.</summary>
    private const int FrequentBelow = 20_000;

    /// <summary>Words that others use. "sks" is not among them: it is a rifle.</summary>
    public static IReadOnlyList<string> Tried { get; } =
        ["shs", "sts", "scs", "cpc", "coc", "cic", "msm", "usu", "ici", "lvl", "dii", "muk", "ori", "hru", "rik", "koo", "yos", "wny"];

    /// <summary>Looks at a word.</summary>
    /// <param name="word">The word, without the class: "shs".</param>
    /// <param name="tokenizer">The tokenizer of the model that will be trained.</param>
    /// <exception cref="ArgumentException">The word is empty.</exception>
    public static IdentifierReport Of(string word, ITextTokenizer tokenizer)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(word);
        ArgumentNullException.ThrowIfNull(tokenizer);
        var tokens = tokenizer.EncodeBody(word);
        int? rank = tokens.Count == 1 && tokenizer is ClipTokenizer clip && !clip.AddedTokens.ContainsKey(word) ? tokens[0] : null;
        var frequent = rank < FrequentBelow;
        var warnings = new List<string>();
        if (tokens.Count != 1) warnings.Add($"\"{word}\" is {tokens.Count} tokens, which are learned one by one: take a word that is one.");
        if (frequent)
            warnings.Add(
                $"\"{word}\" is number {rank} of the vocabulary, a frequent word of which the model has its own idea: take a rarer one.");
        if (word.Trim().Length > LongestAdvised)
            warnings.Add($"\"{word}\" has more than {LongestAdvised} letters: short ones are rarely words.");
        if (word.Trim().Equals("sks", StringComparison.OrdinalIgnoreCase))
            warnings.Add("\"sks\" is the name of a rifle, which shows: take another.");
        return new(word, tokens, rank, frequent, Tried.Contains(word.Trim(), StringComparer.OrdinalIgnoreCase), warnings);
    }
}

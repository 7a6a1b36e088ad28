namespace StableTune.Models;

/// <summary>A text that a model wrote.</summary>
/// <param name="Ids">Its tokens, from the start token on, the end token included where it is there.</param>
/// <param name="Score">Of beam search: the mean logarithm of the probability of a token that was added. Null otherwise.</param>
public sealed record GeneratedText(IReadOnlyList<int> Ids, double? Score = null);

/// <summary>How a model continues a text token by token: <see cref="BeamSearch"/>, or by chance, <see cref="NucleusSampling"/>.</summary>
public abstract record TextDecoding : OptionsBase
{
    /// <summary>The end is not allowed before so many tokens are there, those of the prompt included. Default 5.
    /// (<c>min_length</c>)</summary>
    public int MinLength { get; init; } = 5;

    /// <summary>Texts are cut at so many tokens, those of the prompt included. Default 75. (<c>max_length</c>)</summary>
    public int MaxLength { get; init; } = 75;

    /// <summary>
    /// How much less likely tokens become that are in the text already, in the prompt too: positive scores are divided by it, negative
    /// ones multiplied. 1 changes nothing. (<c>repetition_penalty</c>)
    /// </summary>
    /// <remarks>Keskar et al. 2019, arXiv:1909.05858.</remarks>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Whether texts depend on seeds.</summary>
    public abstract bool IsRandom { get; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (MaxLength < 2) yield return Problem(MaxLength, "a text has a start and at least one token behind it", "75 is customary");
        if (MinLength < 0 || MinLength > MaxLength)
            yield return Problem(MinLength, $"the length must be 0 to MaxLength ({MaxLength})", "5 is customary");
        if (!(RepetitionPenalty > 0) || !double.IsFinite(RepetitionPenalty))
            yield return Problem(RepetitionPenalty, "the penalty must be positive", "1 for none; 1.1 is customary when sampling");
    }

    /// <summary>Continues texts.</summary>
    /// <param name="network">The network, with what the texts are about.</param>
    /// <param name="request">How they begin and end.</param>
    /// <returns>For each text what was found, the best first.</returns>
    internal abstract IReadOnlyList<IReadOnlyList<GeneratedText>> Run(TextContinuation network, TextRequest request);

    /// <summary>The scores as the options want them: repetitions less likely, and no end before its time.</summary>
    /// <param name="scores">[rows, V].</param>
    /// <param name="ids">The tokens so far, [rows, L], int64.</param>
    /// <param name="end">The end token.</param>
    private protected Tensor Ruled(Tensor scores, Tensor ids, long end)
    {
        using var scope = NewDisposeScope();
        var ruled = TokenRules.Penalized(scores, ids, RepetitionPenalty);
        return (ids.shape[1] < MinLength ? TokenRules.Without(ruled, end) : ruled.alias()).MoveToOuterDisposeScope();
    }
}

/// <summary>How texts begin and end.</summary>
/// <param name="Prompt">The tokens that all texts begin with, at least the start token.</param>
/// <param name="End">The token that ends a text.</param>
/// <param name="Seeds">A seed for each text; not needed where nothing is left to chance.</param>
/// <param name="CancellationToken">Looked at for every token.</param>
public sealed record TextRequest(
    IReadOnlyList<int> Prompt, int End, IReadOnlyList<long>? Seeds = null, CancellationToken CancellationToken = default);

/// <summary>A network that continues texts, as decodings see it: rows of tokens, and scores of what may follow each.</summary>
internal abstract class TextContinuation
{
    /// <summary>How many texts are written.</summary>
    internal abstract int Texts { get; }

    /// <summary>Begins a row for each text with the same tokens.</summary>
    /// <returns>[texts, V], float32, in the caller's scope.</returns>
    internal abstract Tensor Begin(IReadOnlyList<int> prompt);

    /// <summary>Goes on with some of the rows.</summary>
    /// <param name="rows">Numbers of the rows before, each as often as it goes on; the rows of a text stand together, as many of
    /// each.</param>
    /// <param name="texts">Numbers of the texts that go on; null for all.</param>
    /// <param name="tokens">A token for each row.</param>
    /// <returns>[rows, V], float32, in the caller's scope.</returns>
    internal abstract Tensor Continue(long[] rows, long[]? texts, long[] tokens);
}

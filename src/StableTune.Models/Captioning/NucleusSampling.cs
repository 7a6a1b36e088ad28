namespace StableTune.Models;

/// <summary>Each token is drawn, by its probability, from the most likely ones that together have <see cref="TopP"/>.</summary>
/// <remarks>
/// Holtzman et al. 2019, arXiv:1904.09751. The defaults are those of sd-scripts' <c>make_captions</c>: its repetition penalty is always
/// 1.1, and no more than the 50 most likely tokens take part, although it does not say so.
/// </remarks>
public sealed record NucleusSampling : TextDecoding
{
    /// <summary>Sampling with sd-scripts' values.</summary>
    public NucleusSampling() => RepetitionPenalty = 1.1;

    /// <summary>The probability that the tokens which take part have together: 0 takes the most likely one alone, 1 and more all.
    /// Default 0.9. (<c>top_p</c>)</summary>
    public double TopP { get; init; } = 0.9;

    /// <summary>So many of the most likely tokens take part at most; null for all. Default 50. (<c>top_k</c>)</summary>
    public int? TopK { get; init; } = 50;

    /// <inheritdoc/>
    public override bool IsRandom => true;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (!(TopP >= 0)) yield return Problem(TopP, "a probability is a number from 0 on", "0.9 is customary, 1 takes all");
        if (TopK < 1) yield return Problem(TopK, "at least one token must take part", "50 is customary, null takes all");
    }

    internal override IReadOnlyList<IReadOnlyList<GeneratedText>> Run(TextContinuation network, TextRequest request)
    {
        if (request.Seeds?.Count != network.Texts)
            throw new ArgumentException(
                $"There are {request.Seeds?.Count ?? 0} seeds for {network.Texts} texts: sampling needs one for each.", nameof(request));
        var random = request.Seeds.Select(seed => new Generator(unchecked((ulong)seed))).ToArray();
        try
        {
            return TokenByToken.Run(network, request, MaxLength, (scores, ids, texts) =>
            {
                using var scope = NewDisposeScope();
                var probabilities = Probabilities(scores, ids, request.End).cpu();
                // Each text has its own random numbers, so that it does not matter which others are written beside it.
                return [.. texts.Select((text, row) =>
                    probabilities.narrow(0, row, 1).multinomial(1, generator: random[text]).item<long>())];
            });
        }
        finally
        {
            foreach (var generator in random) generator.Dispose();
        }
    }

    /// <summary>The probabilities that tokens are drawn by.</summary>
    /// <param name="logits">[rows, V].</param>
    /// <param name="ids">The tokens so far, [rows, L], int64.</param>
    /// <param name="end">The end token.</param>
    /// <returns>[rows, V], in the caller's scope.</returns>
    internal Tensor Probabilities(Tensor logits, Tensor ids, long end)
    {
        using var scope = NewDisposeScope();
        var ruled = Ruled(logits, ids, end);
        var best = TopK is { } count ? TokenRules.Best(ruled, count) : ruled;
        return TokenRules.Nucleus(best, TopP).softmax(-1).MoveToOuterDisposeScope();
    }
}

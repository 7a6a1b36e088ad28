namespace StableTune.Models;

/// <summary>The most likely text, as far as a search finds it that follows several beginnings at a time; with one, the most likely token
/// each time.</summary>
/// <remarks>
/// As in <c>transformers</c>: texts compete by the mean logarithm of the probability of the tokens that were added, and the repetition
/// penalty acts on these logarithms with several beams, on the scores before with one.
/// </remarks>
public sealed record BeamSearch : TextDecoding
{
    /// <summary>Beginnings that are followed at a time. Default 1. (<c>num_beams</c>)</summary>
    public int Beams { get; init; } = 1;

    /// <inheritdoc/>
    public override bool IsRandom => false;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (Beams is < 1 or > 1000) yield return Problem(Beams, "there must be 1 to 1000 beams", "1 is fast, 3 to 5 are customary");
    }

    internal override IReadOnlyList<IReadOnlyList<GeneratedText>> Run(TextContinuation network, TextRequest request) =>
        Beams == 1 ? TokenByToken.Run(network, request, MaxLength, (scores, ids, _) => MostLikely(scores, ids, request.End))
        : Search(network, request);

    private long[] MostLikely(Tensor scores, Tensor ids, long end)
    {
        using var scope = NewDisposeScope();
        return [.. Ruled(scores, ids, end).argmax(1).cpu().data<long>()];
    }

    private IReadOnlyList<IReadOnlyList<GeneratedText>> Search(TextContinuation network, TextRequest request)
    {
        using var scope = NewDisposeScope();
        var searches = Enumerable.Range(0, network.Texts).Select(_ => new Beginnings(this, request)).ToArray();
        var running = searches.ToList();
        var logits = network.Begin(request.Prompt);
        if (2L * Beams > logits.shape[1])
            throw new InvalidOptionsException([Problem(Beams, $"the vocabulary has {logits.shape[1]} tokens only, and a search looks at "
                + "twice as many as it has beams", "take fewer", nameof(Beams))]);
        while (true)
        {
            request.CancellationToken.ThrowIfCancellationRequested();
            using var step = NewDisposeScope();
            Grow(running, logits, request.End);
            var texts = Enumerable.Range(0, running.Count).Where(text => !running[text].IsDone).Select(text => (long)text).ToArray();
            if (texts.Length == 0) break;
            var each = logits.shape[0] / running.Count;
            running = [.. texts.Select(text => running[(int)text])];
            var next = network.Continue(
                [.. running.SelectMany((search, i) => search.Sources.Select(source => (texts[i] * each) + source))], texts,
                [.. running.SelectMany(search => search.Newest)]);
            logits.Dispose();
            logits = next.MoveToOuterDisposeScope();
        }

        return [.. searches.Select(search => search.Results)];
    }

    /// <summary>Shows each search the continuations that are the most likely ones for it.</summary>
    private void Grow(List<Beginnings> running, Tensor logits, long end)
    {
        using var scope = NewDisposeScope();
        var vocabulary = logits.shape[1];
        var ids = tensor(running.SelectMany(search => search.Ids).ToArray(), device: logits.device).reshape(logits.shape[0], -1);
        var sums = tensor(running.SelectMany(search => search.Sums).ToArray(), device: logits.device).unsqueeze(1);
        var scores = Ruled(nn.functional.log_softmax(logits, -1), ids, end) + sums.As(logits.dtype);
        var (best, places) = scores.reshape(running.Count, -1).topk(2 * Beams, 1);
        var (values, indices) = (best.to(ScalarType.Float32).cpu().data<float>().ToArray(), places.cpu().data<long>().ToArray());
        for (var text = 0; text < running.Count; text++)
            running[text].Take([.. Enumerable.Range(2 * Beams * text, 2 * Beams)
                .Select(i => new Candidate((int)(indices[i] / vocabulary), indices[i] % vocabulary, values[i]))]);
    }

    /// <summary>A beginning with one more token.</summary>
    private readonly record struct Candidate(int Source, long Token, float Sum);

    /// <summary>The beginnings of one text, and those that came to an end.</summary>
    private sealed class Beginnings(BeamSearch options, TextRequest request)
    {
        private readonly List<(long[] Ids, double Score)> _ended = [];
        private List<long[]> _texts = [[.. request.Prompt.Select(id => (long)id)]];

        /// <summary>The tokens of all beginnings, one after the other.</summary>
        internal IEnumerable<long> Ids => _texts.SelectMany(ids => ids);

        /// <summary>Sums of the logarithms of each beginning.</summary>
        internal float[] Sums { get; private set; } = [0f];

        /// <summary>Which of the beginnings before each is a continuation of.</summary>
        internal int[] Sources { get; private set; } = [0];

        /// <summary>The last token of each.</summary>
        internal IEnumerable<long> Newest => _texts.Select(ids => ids[^1]);

        internal bool IsDone { get; private set; }

        internal IReadOnlyList<GeneratedText> Results =>
            [.. _ended.Select(text => new GeneratedText([.. text.Ids.Select(id => (int)id)], text.Score))];

        /// <summary>Goes on with the best continuations that do not end; those among the first that end are results.</summary>
        internal void Take(Candidate[] best)
        {
            var length = _texts[0].Length + 1;
            var generated = length - request.Prompt.Count;
            var next = new List<Candidate>();
            for (var rank = 0; rank < best.Length; rank++)
            {
                if (best[rank].Token != request.End && length < options.MaxLength) next.Add(best[rank]);
                // What is barred is no result, though it may be among the best of a tiny vocabulary.
                else if (rank < options.Beams && float.IsFinite(best[rank].Sum)) Finish(best[rank], (double)best[rank].Sum / generated);
            }

            next = [.. next.Take(options.Beams)];
            _texts = [.. next.Select(candidate => (long[])[.. _texts[candidate.Source], candidate.Token])];
            (Sums, Sources) = ([.. next.Select(candidate => candidate.Sum)], [.. next.Select(candidate => candidate.Source)]);
            IsDone = next.Count == 0 || (_ended.Count == options.Beams && Sums[0] / generated <= _ended[^1].Score);
        }

        /// <summary>Keeps the best, in their order; of equal ones the first.</summary>
        private void Finish(Candidate candidate, double score)
        {
            var at = _ended.FindIndex(text => text.Score < score);
            _ended.Insert(at < 0 ? _ended.Count : at, ([.. _texts[candidate.Source], candidate.Token], score));
            if (_ended.Count > options.Beams) _ended.RemoveAt(options.Beams);
        }
    }
}

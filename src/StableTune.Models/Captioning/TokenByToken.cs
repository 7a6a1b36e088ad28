namespace StableTune.Models;

/// <summary>Texts that grow by one token at a time, each in a single row; those that are done leave the others alone.</summary>
internal static class TokenByToken
{
    /// <summary>Chooses a token for each row.</summary>
    /// <param name="scores">[rows, V].</param>
    /// <param name="ids">The tokens so far, [rows, L], int64.</param>
    /// <param name="texts">The text of each row.</param>
    internal delegate long[] Choice(Tensor scores, Tensor ids, IReadOnlyList<int> texts);

    /// <summary>Writes the texts.</summary>
    internal static IReadOnlyList<IReadOnlyList<GeneratedText>> Run(
        TextContinuation network, TextRequest request, int maxLength, Choice choose)
    {
        using var scope = NewDisposeScope();
        var texts = Enumerable.Range(0, network.Texts).Select(_ => request.Prompt.Select(id => (long)id).ToList()).ToArray();
        var running = Enumerable.Range(0, texts.Length).ToList();
        var scores = network.Begin(request.Prompt);
        while (true)
        {
            request.CancellationToken.ThrowIfCancellationRequested();
            using var step = NewDisposeScope();
            var length = texts[running[0]].Count;
            var ids = tensor(running.SelectMany(text => texts[text]).ToArray(), device: scores.device).reshape(running.Count, length);
            var tokens = choose(scores, ids, running);
            var rows = Enumerable.Range(0, running.Count).Where(row => tokens[row] != request.End && length + 1 < maxLength).ToArray();
            for (var row = 0; row < running.Count; row++) texts[running[row]].Add(tokens[row]);
            if (rows.Length == 0) break;
            running = [.. rows.Select(row => running[row])];
            long[] kept = [.. rows.Select(row => (long)row)];
            var next = network.Continue(kept, kept, [.. rows.Select(row => tokens[row])]);
            scores.Dispose();
            scores = next.MoveToOuterDisposeScope();
        }

        return [.. texts.Select(ids => (GeneratedText[])[new([.. ids.Select(id => (int)id)])])];
    }
}

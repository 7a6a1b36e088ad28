namespace StableTune.Models;

/// <summary>Learns byte-pair merges from texts.</summary>
/// <remarks>Sennrich et al. 2016, arXiv:1508.07909, algorithm 1, on the words and bytes of CLIP's tokenizer. Of pairs that are as frequent
/// the first in ordinal order is merged, so that the same texts give the same merges.</remarks>
internal static class MergeLearner
{
    /// <summary>The merges, best first; fewer than asked for once each word is one token.</summary>
    internal static IReadOnlyList<string> Learn(IEnumerable<string> texts, int mergeCount)
    {
        var words = Words(texts);
        var merges = new List<string>(mergeCount);
        while (merges.Count < mergeCount && MostFrequent(words) is { } pair)
        {
            merges.Add($"{pair.Left} {pair.Right}");
            foreach (var word in words) word.Merge(pair);
        }

        return merges;
    }

    private static List<Word> Words(IEnumerable<string> texts)
    {
        var counts = new SortedDictionary<string, long>(StringComparer.Ordinal);
        foreach (var text in texts)
        {
            var normal = ClipWordSplitter.Normalize(text);
            for (var position = 0; ;)
            {
                var word = ClipWordSplitter.Next(normal, ref position);
                if (word.IsEmpty) break;
                var key = word.ToString();
                counts[key] = counts.GetValueOrDefault(key) + 1;
            }
        }

        return [.. counts.Select(entry => new Word(Symbols(entry.Key), entry.Value))];
    }

    /// <summary>The bytes of a word as the vocabulary writes them; the last carries the end of the word.</summary>
    private static List<string> Symbols(string word)
    {
        var buffer = new char[System.Text.Encoding.UTF8.GetMaxByteCount(word.Length)];
        var count = ByteSymbols.Write(word, buffer);
        return [.. buffer.Take(count).Select((symbol, i) => i == count - 1 ? symbol + ClipVocabulary.EndOfWord : symbol.ToString())];
    }

    private static (string Left, string Right)? MostFrequent(List<Word> words)
    {
        var counts = new Dictionary<(string Left, string Right), long>();
        foreach (var word in words)
            for (var i = 1; i < word.Symbols.Count; i++)
            {
                var pair = (word.Symbols[i - 1], word.Symbols[i]);
                counts[pair] = counts.GetValueOrDefault(pair) + word.Count;
            }

        if (counts.Count == 0) return null;
        return counts.OrderByDescending(entry => entry.Value).ThenBy(entry => entry.Key.Left, StringComparer.Ordinal)
            .ThenBy(entry => entry.Key.Right, StringComparer.Ordinal).First().Key;
    }

    /// <summary>A word in its present symbols, and how often it occurs.</summary>
    private sealed record Word(List<string> Symbols, long Count)
    {
        internal void Merge((string Left, string Right) pair)
        {
            for (var i = 1; i < Symbols.Count; i++)
            {
                if (Symbols[i - 1] != pair.Left || Symbols[i] != pair.Right) continue;
                Symbols[i - 1] = pair.Left + pair.Right;
                Symbols.RemoveAt(i);
            }
        }
    }
}

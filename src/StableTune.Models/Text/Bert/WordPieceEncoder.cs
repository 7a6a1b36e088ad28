using System.Text;

namespace StableTune.Models;

/// <summary>WordPiece: a word as the longest piece that begins it, then the longest that continues it, and so on.</summary>
/// <remarks>
/// Schuster and Nakajima 2012, "Japanese and Korean voice search"; greedy as in BERT. A word that cannot be covered is one unknown token.
/// Microsoft.ML.Tokenizers' WordPieceTokenizer is an oracle in the tests only: it counts the length of words in UTF-16 units and not in
/// characters, takes line numbers for ids, and looks up the whole rest of a word first, however long the longest piece, which takes 1.6
/// to 7 times as long.
/// </remarks>
internal sealed class WordPieceEncoder
{
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _beginnings, _continuations;
    private readonly int _longestBeginning, _longestContinuation, _maxWordLength, _unknownId;

    /// <summary>Creates the encoder.</summary>
    /// <param name="ids">The id of each piece.</param>
    /// <param name="options">Prefix and longest word.</param>
    /// <param name="unknownId">Stands for words that cannot be covered.</param>
    /// <param name="comparer">Compares pieces, of spans too; null for the plain way.</param>
    public WordPieceEncoder(IReadOnlyDictionary<string, int> ids, BertTokenizerOptions options, int unknownId,
        IEqualityComparer<string>? comparer = null)
    {
        comparer ??= StringComparer.Ordinal;
        var beginnings = new Dictionary<string, int>(ids.Count, comparer);
        var continuations = new Dictionary<string, int>(comparer);
        var prefix = options.ContinuationPrefix;
        foreach (var (token, id) in ids)
        {
            beginnings[token] = id;   // "##" may itself begin a word, as the text "##ing" would if "#" were no punctuation
            if (token.Length > prefix.Length && token.StartsWith(prefix, StringComparison.Ordinal))
                continuations[token[prefix.Length..]] = id;
        }

        (_beginnings, _continuations) = (
            beginnings.GetAlternateLookup<ReadOnlySpan<char>>(), continuations.GetAlternateLookup<ReadOnlySpan<char>>());
        (_longestBeginning, _longestContinuation) = (Longest(beginnings.Keys), Longest(continuations.Keys));
        (_maxWordLength, _unknownId) = (options.MaxWordLength, unknownId);
    }

    /// <summary>Appends the ids of one word, which is not empty.</summary>
    public void Encode(ReadOnlySpan<char> word, List<int> into)
    {
        var count = into.Count;
        var covered = word.Length <= 2L * _maxWordLength && Characters(word) <= _maxWordLength;
        for (var start = 0; covered && start < word.Length;)
        {
            var length = start == 0 ? Match(word, _beginnings, _longestBeginning, into)
                : Match(word[start..], _continuations, _longestContinuation, into);
            covered = length > 0;
            start += length;
        }

        if (covered) return;
        into.RemoveRange(count, into.Count - count);
        into.Add(_unknownId);
    }

    /// <summary>Appends the longest piece that the text begins with; returns its length, 0 when there is none.</summary>
    private static int Match(ReadOnlySpan<char> text, Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> pieces, int longest,
        List<int> into)
    {
        for (var length = Math.Min(text.Length, longest); length > 0; length--)
        {
            if (!pieces.TryGetValue(text[..length], out var id)) continue;
            into.Add(id);
            return length;
        }

        return 0;
    }

    private static int Characters(ReadOnlySpan<char> word)
    {
        var count = 0;
        foreach (var _ in word.EnumerateRunes()) count++;
        return count;
    }

    private static int Longest(IEnumerable<string> texts) => texts.Select(text => text.Length).DefaultIfEmpty().Max();
}

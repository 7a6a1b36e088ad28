using System.Buffers;
using System.Collections.Concurrent;
using System.Text;

namespace StableTune.Models;

/// <summary>Byte-pair encoding of one word at a time (Sennrich et al. 2016, arXiv:1508.07909): merges the best-ranked neighbours until none is left.</summary>
/// <remarks>Works on ids, with a queue, so a word of n bytes costs n log n. Threads may share one encoder.</remarks>
internal sealed class BytePairEncoder
{
    private const int LongestCachedWord = 64, LargestCache = 100_000;

    private readonly Dictionary<long, (int Rank, int Merged)> _merges;
    private readonly int[] _inner = new int[256], _last = new int[256];   // the id of each byte inside a word, and at its end
    private readonly ConcurrentDictionary<string, int[]> _cache = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> _lookup;

    /// <summary>Creates the encoder.</summary>
    /// <param name="vocabulary">Tokens and merges.</param>
    /// <param name="unknownId">Stands for bytes that the vocabulary has no symbol for; the full one has all.</param>
    public BytePairEncoder(ClipVocabulary vocabulary, int unknownId) : this(vocabulary.Ids, vocabulary.Merges, ClipVocabulary.EndOfWord, unknownId) { }

    /// <summary>Creates the encoder.</summary>
    /// <param name="ids">The id of each token.</param>
    /// <param name="merges">Best first, each as two tokens with a blank between them; the vocabulary has both, and the two joined.</param>
    /// <param name="endOfWord">What a symbol at the end of a word carries; empty where words are told apart by their leading blank.</param>
    /// <param name="unknownId">Stands for bytes that the vocabulary has no symbol for.</param>
    /// <param name="comparer">Compares pairs of ids; null for the plain way.</param>
    public BytePairEncoder(IReadOnlyDictionary<string, int> ids, IReadOnlyList<string> merges, string endOfWord, int unknownId, IEqualityComparer<long>? comparer = null)
    {
        for (var value = 0; value < 256; value++)
        {
            var symbol = ByteSymbols.OfByte[value].ToString();
            _inner[value] = ids.TryGetValue(symbol, out var id) ? id : unknownId;
            _last[value] = ids.TryGetValue(symbol + endOfWord, out id) ? id : unknownId;
        }

        _merges = new Dictionary<long, (int, int)>(merges.Count, comparer);
        for (var rank = 0; rank < merges.Count; rank++)
        {
            var merge = merges[rank];
            var blank = merge.IndexOf(' ', StringComparison.Ordinal);
            _merges.TryAdd(Pair(ids[merge[..blank]], ids[merge[(blank + 1)..]]), (rank, ids[merge.Remove(blank, 1)]));
        }

        _lookup = _cache.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>Appends the ids of one word, which is not empty.</summary>
    public void Encode(ReadOnlySpan<char> word, List<int> into)
    {
        if (_lookup.TryGetValue(word, out var known))
        {
            into.AddRange(known);
            return;
        }

        var ids = Merge(word);
        if (word.Length <= LongestCachedWord && _cache.Count < LargestCache) _cache[word.ToString()] = ids;
        into.AddRange(ids);
    }

    private static long Pair(int left, int right) => ((long)left << 32) | (uint)right;

    private int[] Merge(ReadOnlySpan<char> word)
    {
        var bytes = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(word.Length));
        var count = Encoding.UTF8.GetBytes(word, bytes);
        var ids = new int[count];
        for (var i = 0; i < count; i++) ids[i] = i == count - 1 ? _last[bytes[i]] : _inner[bytes[i]];
        ArrayPool<byte>.Shared.Return(bytes);
        return count == 1 ? ids : Merge(ids);
    }

    private int[] Merge(int[] ids)
    {
        // A list of symbols linked both ways; -1 ends it. A symbol that was merged into its left neighbour has id -1.
        var next = new int[ids.Length];
        var previous = new int[ids.Length];
        for (var i = 0; i < ids.Length; i++) (next[i], previous[i]) = (i + 1 < ids.Length ? i + 1 : -1, i - 1);

        // Best rank first, then leftmost, so that of equal pairs the left one is merged first.
        var queue = new PriorityQueue<(int Position, long Pair, int Merged), long>();
        void Offer(int left, int right)
        {
            var pair = Pair(ids[left], ids[right]);
            if (_merges.TryGetValue(pair, out var merge)) queue.Enqueue((left, pair, merge.Merged), ((long)merge.Rank << 32) | (uint)left);
        }

        for (var i = 0; i + 1 < ids.Length; i++) Offer(i, i + 1);
        while (queue.TryDequeue(out var best, out _))
        {
            var left = best.Position;
            var right = next[left];
            if (right < 0 || ids[left] < 0 || Pair(ids[left], ids[right]) != best.Pair) continue;   // overtaken by another merge

            (ids[left], ids[right]) = (best.Merged, -1);
            next[left] = next[right];
            if (next[left] >= 0)
            {
                previous[next[left]] = left;
                Offer(left, next[left]);
            }

            if (previous[left] >= 0) Offer(previous[left], left);
        }

        return Array.FindAll(ids, id => id >= 0);
    }
}

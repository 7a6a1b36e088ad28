using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace StableTune.Models;

/// <summary>The token ids of words that were met before. Threads may share one.</summary>
internal sealed class WordCache
{
    private const int LongestWord = 64, MostWords = 100_000;

    private readonly ConcurrentDictionary<string, int[]> _ids = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private int _count;   // the dictionary's own count takes all of its locks

    /// <summary>Creates an empty cache.</summary>
    public WordCache() => _lookup = _ids.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>The ids of a word; false when it is not known.</summary>
    public bool TryGet(ReadOnlySpan<char> word, [NotNullWhen(true)] out int[]? ids) => _lookup.TryGetValue(word, out ids);

    /// <summary>Remembers a word, unless it is too long to come again or the cache is full.</summary>
    public void Add(ReadOnlySpan<char> word, int[] ids)
    {
        if (word.Length > LongestWord || Volatile.Read(ref _count) >= MostWords) return;
        if (_ids.TryAdd(word.ToString(), ids)) Interlocked.Increment(ref _count);
    }
}

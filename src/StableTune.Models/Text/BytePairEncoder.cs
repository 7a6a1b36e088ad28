using System.Buffers;
using System.Text;
using Microsoft.ML.Tokenizers;

namespace StableTune.Models;

/// <summary>Byte-pair encoding of one word at a time (Sennrich et al. 2016, arXiv:1508.07909), by Microsoft.ML.Tokenizers.</summary>
/// <remarks>
/// Threads may share one encoder.
/// The package is given words and not whole texts: its own way through normalizer, pre-tokenizer, table of bytes and cache (10,000 words
/// of at most 15 bytes, behind one lock) gives the same ids and takes at least 1.5 times as long for words that were met before; see
/// TokenizerBenchmarks.
/// </remarks>
internal sealed class BytePairEncoder
{
    /// <summary>Bytes that are encoded at once.</summary>
    internal const int LongestPiece = 4096;

    private readonly Tokenizer _merger;
    private readonly Lazy<Dictionary<int, int>> _lengths;   // the bytes of each token
    private readonly WordCache _cache = new();

    /// <summary>Creates the encoder.</summary>
    /// <param name="ids">The id of each token, no id twice; tokens are written in <see cref="ByteSymbols"/>.</param>
    /// <param name="merges">Best first, each as two tokens with a blank between them; the vocabulary has both, and the two joined.</param>
    /// <param name="endOfWord">What a symbol at the end of a word carries; null where words are told apart by their leading blank.</param>
    /// <param name="unknownToken">Stands for bytes that the vocabulary has no symbol for.</param>
    /// <param name="watch">Puts something between this encoder and the package's; null for nothing.</param>
    public BytePairEncoder(
        IReadOnlyDictionary<string, int> ids, IReadOnlyList<string> merges, string? endOfWord, string unknownToken,
        Func<Tokenizer, Tokenizer>? watch = null)
    {
        var package = BpeTokenizer.Create(new BpeOptions(ids)
        {
            Merges = merges.Distinct(StringComparer.Ordinal),   // the package takes no merge twice
            EndOfWordSuffix = endOfWord,
            UnknownToken = unknownToken,
        });
        _merger = watch?.Invoke(package) ?? package;
        _lengths = new(() => ids.ToDictionary(entry => entry.Value, entry => entry.Key == unknownToken ? 1 : entry.Key.Length));
    }

    /// <summary>Appends the ids of one word, which is not empty. Half surrogate pairs count as U+FFFD.</summary>
    public void Encode(ReadOnlySpan<char> word, List<int> into)
    {
        if (!_cache.TryGet(word, out var ids)) _cache.Add(word, ids = Merge(word));
        into.AddRange(ids);
    }

    private int[] Merge(ReadOnlySpan<char> word)
    {
        var symbols = ArrayPool<char>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(word.Length));
        try
        {
            return MergePieces(symbols.AsSpan(0, ByteSymbols.Write(word, symbols)));
        }
        finally
        {
            ArrayPool<char>.Shared.Return(symbols);
        }
    }

    /// <summary>
    /// The package's time grows with the square of a word's length. So the start of a long word is encoded with what follows it, and only
    /// the first half of its tokens is taken: no merge crosses their border, so the rest is encoded as a word of its own. What lies beyond
    /// the piece could reach back only through a chain of merges, each of a worse rank than its neighbour; with CLIP's merges, pieces of 24
    /// bytes were enough for all words tried.
    /// </summary>
    private int[] MergePieces(ReadOnlySpan<char> symbols)
    {
        if (symbols.Length <= LongestPiece) return [.. Encode(symbols)];
        var ids = new List<int>();
        while (symbols.Length > LongestPiece)
        {
            var found = Encode(symbols[..LongestPiece]);
            var taken = 0;
            for (var i = 0; i < found.Count / 2; i++)
            {
                ids.Add(found[i]);
                taken += _lengths.Value[found[i]];
            }

            if (taken == 0) break;   // a vocabulary with a token as long as this
            symbols = symbols[taken..];
        }

        ids.AddRange(Encode(symbols));
        return [.. ids];
    }

    private IReadOnlyList<int> Encode(ReadOnlySpan<char> symbols) =>
        _merger.EncodeToIds(symbols, considerPreTokenization: false, considerNormalization: false);
}

using System.Collections.Immutable;
using System.Text.RegularExpressions;

namespace StableTune.Models;

/// <summary>A word that was added to a tokenizer.</summary>
/// <param name="Word">The word.</param>
/// <param name="Vectors">Tokens that stand for it: word, word1, word2 ...</param>
/// <param name="Layers">Names of the attention layers that have tokens of their own; empty where all have the same.</param>
/// <param name="FirstId">The id of its first token; the others follow, layer by layer.</param>
internal sealed record NewWord(string Word, int Vectors, IReadOnlyList<string> Layers, int FirstId)
{
    /// <summary>Token ids that it takes.</summary>
    public int Count => Vectors * Math.Max(1, Layers.Count);

    /// <summary>The words of its tokens: as texts say them, or as a layer reads them.</summary>
    public static string[] Names(string word, int vectors, string? layer = null) =>
        [.. Enumerable.Range(0, vectors).Select(i => (i == 0 ? word : word + i) + (layer is null ? "" : "_" + layer))];

    /// <summary>All words and their ids. A word that layers read each in its own way counts as that of the first layer.</summary>
    public IEnumerable<(string Word, int Id)> Ids()
    {
        foreach (var (name, i) in Names(Word, Vectors).Select((name, i) => (name, i))) yield return (name, FirstId + i);
        for (var layer = 0; layer < Layers.Count; layer++)
            foreach (var (name, i) in Names(Word, Vectors, Layers[layer]).Select((name, i) => (name, i)))
                yield return (name, FirstId + (layer * Vectors) + i);
    }
}

/// <summary>
/// A model's tokenizer with words that textual inversion added. A word of several vectors is read as all of its words ("sksdog" as
/// "sksdog sksdog1"), unless they follow already.
/// </summary>
internal sealed class WordTokenizer : ITextTokenizer
{
    private readonly ITextTokenizer _inner;
    private readonly ImmutableList<NewWord> _words;
    private readonly Dictionary<string, NewWord> _byFirst;
    private readonly Regex _all;

    private WordTokenizer(ITextTokenizer original, ImmutableList<NewWord> words)
    {
        (Base, _words) = (original, words);
        var ids = words.SelectMany(word => word.Ids()).ToDictionary(entry => entry.Word, entry => entry.Id, StringComparer.Ordinal);
        _inner = original.WithAddedTokens(ids);
        _byFirst = words.ToDictionary(word => word.Word, StringComparer.Ordinal);
        // The longest first, as tokenizers cut added words out: "sksdog1" is not "sksdog" with a 1 behind.
        _all = new Regex(string.Join('|', _inner.AddedTokens.Keys.OrderByDescending(name => name.Length).Select(Regex.Escape)),
            RegexOptions.CultureInvariant);
    }

    /// <summary>The tokenizer without the words.</summary>
    public ITextTokenizer Base { get; }

    /// <summary>The attention layers that read some words each in its own way; empty when there are no such words.</summary>
    public IReadOnlyList<string> Layers => _words.FirstOrDefault(word => word.Layers.Count > 0)?.Layers ?? [];

    /// <summary>A tokenizer with one more word.</summary>
    public static WordTokenizer With(ITextTokenizer tokenizer, NewWord word) => tokenizer is WordTokenizer words
        ? new WordTokenizer(words.Base, words._words.Add(word)) : new WordTokenizer(tokenizer, [word]);

    /// <summary>The tokenizer without a word; those after it move up.</summary>
    public ITextTokenizer Without(string word)
    {
        if (!_byFirst.TryGetValue(word, out var gone)) return this;
        ImmutableList<NewWord> left = [.. _words.Remove(gone).Select(other =>
            other.FirstId > gone.FirstId ? other with { FirstId = other.FirstId - gone.Count } : other)];
        return left.Count == 0 ? Base : new WordTokenizer(Base, left);
    }

    /// <summary>A text as an attention layer reads it: with that layer's words.</summary>
    public string ForLayer(string text, string layer) => Replace(text, layer);

    public int StartId => _inner.StartId;

    public int EndId => _inner.EndId;

    public int PadId => _inner.PadId;

    public int LargestId => _inner.LargestId;

    public IReadOnlyDictionary<string, int> AddedTokens => _inner.AddedTokens;

    public int[] Encode(string text) => _inner.Encode(Expand(text));

    public IReadOnlyList<int> EncodeBody(string text) => _inner.EncodeBody(Expand(text));

    public long[][] EncodePadded(string text, int maxTokenLength = ClipTokenizer.ChunkBodyLength) =>
        _inner.EncodePadded(Expand(text), maxTokenLength);

    public WeightedTokens EncodeWeighted(string text, int maxTokenLength = ClipTokenizer.ChunkBodyLength, int? padId = null) =>
        _inner.EncodeWeighted(Expand(text), maxTokenLength, padId);

    public ITextTokenizer WithAddedTokens(IReadOnlyDictionary<string, int> tokens) =>
        new WordTokenizer(Base.WithAddedTokens(tokens), _words);

    private string Expand(string text) => _words.Exists(word => word.Vectors > 1) ? Replace(text, null) : text;

    private string Replace(string text, string? layer)
    {
        ArgumentNullException.ThrowIfNull(text);
        return _all.Replace(text, match =>
        {
            if (Find(match.Value) is not var (word, index)) return match.Value;
            var own = layer is not null && word.Layers.Count > 0 ? layer : null;
            var names = NewWord.Names(word.Word, word.Vectors, own);
            // Where the further words stand in the text already, each is read for itself.
            var isWhole = index == 0 && word.Vectors > 1
                && !text.AsSpan(match.Index + match.Length).StartsWith(" " + word.Word + "1", StringComparison.Ordinal);
            return isWhole ? string.Join(' ', names) : names[index];
        });
    }

    /// <summary>The new word of which a token is, and its place there; null for words of layers, which stay, and of others.</summary>
    private (NewWord Word, int Index)? Find(string name)
    {
        foreach (var word in _words)
        {
            if (!name.StartsWith(word.Word, StringComparison.Ordinal)) continue;
            var index = Array.IndexOf(NewWord.Names(word.Word, word.Vectors), name);
            if (index >= 0) return (word, index);
        }

        return null;
    }
}

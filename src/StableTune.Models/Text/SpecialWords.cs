using System.Buffers;

namespace StableTune.Models;

/// <summary>Words that are cut out of a text as it stands, before it is normalised; of several at one place the longest.</summary>
internal sealed class SpecialWords
{
    private readonly Dictionary<char, KeyValuePair<string, int>[]> _byFirst;   // longest first
    private readonly SearchValues<char> _first;

    /// <summary>Creates the set; of equal words the first counts.</summary>
    public SpecialWords(IEnumerable<KeyValuePair<string, int>> words)
    {
        _byFirst = words.Where(word => word.Key.Length > 0).DistinctBy(word => word.Key).GroupBy(word => word.Key[0])
            .ToDictionary(group => group.Key, group => group.OrderByDescending(word => word.Key.Length).ToArray());
        _first = SearchValues.Create([.. _byFirst.Keys]);
    }

    /// <summary>The text in pieces: plain ones with a null id, special words with theirs.</summary>
    public List<(string Piece, int? Id)> Split(string text)
    {
        var pieces = new List<(string, int?)>();
        var start = 0;
        for (var position = 0; position < text.Length;)
        {
            var offset = text.AsSpan(position).IndexOfAny(_first);
            if (offset < 0) break;
            position += offset;
            if (Match(text.AsSpan(position)) is not { } word)
            {
                position++;
                continue;
            }

            if (position > start) pieces.Add((text[start..position], null));
            pieces.Add((word.Key, word.Value));
            start = position += word.Key.Length;
        }

        if (start < text.Length) pieces.Add((text[start..], null));
        return pieces;
    }

    private KeyValuePair<string, int>? Match(ReadOnlySpan<char> text)
    {
        foreach (var word in _byFirst[text[0]])
            if (text.StartsWith(word.Key, StringComparison.Ordinal)) return word;
        return null;
    }
}

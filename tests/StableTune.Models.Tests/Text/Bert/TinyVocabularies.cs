using System.Text;

namespace StableTune.Models.Tests;

/// <summary>Tokenizers over a handful of tokens, and what their ids mean.</summary>
internal static class TinyVocabularies
{
    private static readonly string[] BertSpecial = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

    /// <summary>A BERT tokenizer; the ids are the places in the list, behind those of the special tokens where they are asked
    /// for.</summary>
    public static BertTokenizer Bert(
        string[] tokens, bool special = false, BertTokenizerOptions? options = null, IReadOnlyDictionary<string, int>? added = null) =>
        new(Ids(special ? [.. BertSpecial, .. tokens] : tokens), options, added);

    /// <summary>The id of each token is its place.</summary>
    public static Dictionary<string, int> Ids(params string[] tokens) =>
        tokens.Select((token, id) => (token, id)).ToDictionary(pair => pair.token, pair => pair.id);

    /// <summary>The tokens of a text, without start and end.</summary>
    public static IReadOnlyList<string> Tokens(this BertTokenizer tokenizer, string text) =>
        Names(tokenizer.Vocabulary, tokenizer.EncodeBody(text));

    /// <summary>The tokens of a text, without start and end.</summary>
    public static IReadOnlyList<string> Tokens(this RobertaTokenizer tokenizer, string text) =>
        Names(tokenizer.Vocabulary, tokenizer.EncodeBody(text));

    /// <summary>A text that such ids could stand for.</summary>
    public static string Text(this BertTokenizer tokenizer, IReadOnlyList<int> ids)
    {
        var text = new StringBuilder();
        foreach (var token in Names(tokenizer.Vocabulary, ids))
        {
            if (token.StartsWith("##", StringComparison.Ordinal)) text.Append(token, 2, token.Length - 2);
            else text.Append(' ').Append(token);
        }

        return text.ToString();
    }

    /// <summary>Words, scripts, marks, control characters and half surrogate pairs in any order.</summary>
    public static string RandomText(Random random)
    {
        string[] pieces = ["a", "b", "ab", "A", "é", "e\u0301", "猫", "的", ",", "!", " ", "\t", "\u3000", "😀", "\uD800", "\0", "\u200B",
            "##", "[SEP]", "[", "'s", "1", "한", "ß"];
        return string.Concat(Enumerable.Range(0, random.Next(12)).Select(_ => pieces[random.Next(pieces.Length)]));
    }

    /// <summary>A RoBERTa vocabulary: special tokens, 256 byte symbols, one token a merge.</summary>
    public static Dictionary<string, int> ByteLevel(string[] merges) =>
        Ids(["<s>", "<pad>", "</s>", "<unk>", .. ByteOfSymbol().Keys.Select(symbol => symbol.ToString()),
            .. merges.Select(merge => merge.Replace(" ", "")), "<mask>"]);

    /// <summary>The byte of each printable stand-in, as GPT-2 writes them.</summary>
    public static Dictionary<char, byte> ByteOfSymbol()
    {
        var bytes = new Dictionary<char, byte>();
        var substitute = '\u0100';
        for (var value = 0; value < 256; value++)
        {
            var printable = value is >= 33 and <= 126 or >= 161 and <= 172 or >= 174;
            bytes[printable ? (char)value : substitute++] = (byte)value;
        }

        return bytes;
    }

    private static List<string> Names(IReadOnlyDictionary<string, int> vocabulary, IReadOnlyList<int> ids)
    {
        var names = vocabulary.ToDictionary(entry => entry.Value, entry => entry.Key);
        return [.. ids.Select(id => names[id])];
    }
}

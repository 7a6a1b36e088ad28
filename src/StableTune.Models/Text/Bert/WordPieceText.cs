using System.Text;

namespace StableTune.Models;

/// <summary>WordPiece ids back to text, in the two ways of <c>transformers</c>: that of its Python tokenizer, and that of the one that is
/// backed by tokenizers.</summary>
internal sealed class WordPieceText
{
    // In this order, as both have it.
    private static readonly (string From, string To)[] Tidied =
    [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"), (" 's", "'s"), (" 've", "'ve"),
        (" 're", "'re"),
    ];

    private readonly Dictionary<int, string> _pieces = [];
    private readonly string _prefix;

    internal WordPieceText(BertTokenizer tokenizer)
    {
        var options = tokenizer.Options;
        _prefix = options.ContinuationPrefix;
        var special = new HashSet<string>([.. options.RequiredTokens, options.MaskToken], StringComparer.Ordinal);
        foreach (var (piece, id) in tokenizer.Vocabulary)
            if (!special.Contains(piece)) _pieces[id] = piece;
        foreach (var id in tokenizer.AddedTokens.Values) _pieces.Remove(id);
    }

    /// <summary>The words joined first, then blanks removed.</summary>
    internal string Whole(IEnumerable<int> ids) =>
        Tidy(string.Join(' ', Known(ids)).Replace(" " + _prefix, "", StringComparison.Ordinal).Trim());

    /// <summary>Blanks removed within each piece and the blank before it.</summary>
    internal string PieceByPiece(IEnumerable<int> ids)
    {
        var text = new StringBuilder();
        var isFirst = true;
        foreach (var piece in Known(ids))
        {
            var isInside = piece.StartsWith(_prefix, StringComparison.Ordinal);
            text.Append(Tidy(isFirst ? piece : isInside ? piece[_prefix.Length..] : " " + piece));
            isFirst = false;
        }

        return text.ToString();
    }

    private IEnumerable<string> Known(IEnumerable<int> ids)
    {
        foreach (var id in ids)
            if (_pieces.TryGetValue(id, out var piece)) yield return piece;
    }

    private static string Tidy(string text)
    {
        foreach (var (from, to) in Tidied) text = text.Replace(from, to, StringComparison.Ordinal);
        return text;
    }
}

using StableTune.Models;

namespace StableTune.Preparation;

/// <summary>How a BLIP model spells.</summary>
/// <param name="Tokenizer">Its tokenizer.</param>
/// <param name="Start">The token that begins captions.</param>
/// <param name="End">The token that ends them.</param>
/// <param name="PieceByPiece">Whether blanks at punctuation are removed within each piece alone, as with models of the hub.</param>
public sealed record BlipLanguage(BertTokenizer Tokenizer, int Start, int End, bool PieceByPiece = false)
{
    internal const string StartWord = "[DEC]", EncoderWord = "[ENC]";

    /// <summary>The tokens that captions begin with: the start and a prompt.</summary>
    internal int[] Prompt(string prompt) => [Start, .. Tokenizer.EncodeBody(prompt)];

    /// <summary>The caption that tokens mean.</summary>
    /// <param name="ids">The tokens.</param>
    /// <param name="cut">Characters that are cut off at its beginning.</param>
    internal string Caption(IEnumerable<int> ids, int cut)
    {
        var text = Tokenizer.Decode(ids.Where(id => id != Start && id != End), PieceByPiece);
        return text.Length > cut ? text[cut..] : "";
    }
}

using System.Buffers;
using Microsoft.ML.Tokenizers;

namespace StableTune.Models.Tests;

/// <summary>
/// Encodes as another tokenizer does, and keeps the lengths of the texts that it is asked for: the work of an encoder, whatever the
/// machine.
/// </summary>
internal sealed class RecordingTokenizer(Tokenizer inner) : Tokenizer
{
    /// <summary>The lengths of the texts, in order.</summary>
    public List<int> Lengths { get; } = [];

    public override string Decode(IEnumerable<int> ids) => inner.Decode(ids) ?? "";

    public override OperationStatus Decode(IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten) =>
        inner.Decode(ids, destination, out idsConsumed, out charsWritten);

    protected override EncodeResults<EncodedToken> EncodeToTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings) =>
        throw new NotSupportedException();

    protected override EncodeResults<int> EncodeToIds(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        Lengths.Add(textSpan.Length);
        var ids = inner.EncodeToIds(textSpan, settings.ConsiderPreTokenization, settings.ConsiderNormalization);
        return new EncodeResults<int> { Tokens = ids, CharsConsumed = textSpan.Length };
    }
}

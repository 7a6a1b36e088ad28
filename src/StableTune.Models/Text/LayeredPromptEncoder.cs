using StableTune.Tensors;

namespace StableTune.Models;

/// <summary>
/// A prompt encoder for models that know words which each attention layer reads in its own way (extended textual inversion). Texts with
/// such words are encoded once for each layer.
/// </summary>
/// <param name="inner">Encodes texts.</param>
/// <param name="words">Knows the words.</param>
internal sealed class LayeredPromptEncoder(IPromptEncoder inner, WordTokenizer words) : IPromptEncoder
{
    public int? LargestClipSkip => inner.LargestClipSkip;

    public TextConditions Encode(IReadOnlyList<string> captions, int? clipSkip = null, int maxTokenLength = ClipTokenizer.ChunkBodyLength)
        => ForEachLayer(captions, texts => inner.Encode(texts, clipSkip, maxTokenLength));

    public TextConditions EncodeWeighted(IReadOnlyList<string> captions, int? clipSkip = null,
        int maxTokenLength = ClipTokenizer.ChunkBodyLength, bool rescale = false)
        => ForEachLayer(captions, texts => inner.EncodeWeighted(texts, clipSkip, maxTokenLength, rescale));

    public TextConditions EncodeUnpadded(IReadOnlyList<string> captions, int? clipSkip = null, bool weighted = false)
        => ForEachLayer(captions, texts => inner.EncodeUnpadded(texts, clipSkip, weighted));

    public TextConditions EncodeForSampling(IReadOnlyList<string> prompts, int? clipSkip = null)
        => ForEachLayer(prompts, texts => inner.EncodeForSampling(texts, clipSkip));

    /// <returns>[B, K, L, C]; [B, L, C] where no text has such a word.</returns>
    private TextConditions ForEachLayer(IReadOnlyList<string> texts, Func<IReadOnlyList<string>, TextConditions> encode)
    {
        var layers = words.Layers;
        // Texts without the words are read alike by all layers.
        if (texts.All(text => words.ForLayer(text, layers[0]) == words.ForLayer(text, layers[^1]))) return encode(texts);
        string[] read = [.. texts.SelectMany(text => layers.Select(layer => words.ForLayer(text, layer)))];
        string[] different = [.. read.Distinct(StringComparer.Ordinal)];
        using var scope = NewDisposeScope();
        var context = encode(different).Context;                                                       // [D, L, C]
        var places = tensor(Array.ConvertAll(read, text => (long)Array.IndexOf(different, text)), device: context.device);
        return new TextConditions(context.index_select(0, places)
            .view(texts.Count, layers.Count, context.size(1), context.size(2))).MoveToOuterDisposeScope();
    }
}

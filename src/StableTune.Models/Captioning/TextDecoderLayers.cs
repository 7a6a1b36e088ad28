using TorchSharp.Modules;

namespace StableTune.Models;

/// <summary>Queries, keys and values of an attention of a text decoder: of its own tokens, or of what the text is about.</summary>
internal sealed class DecoderProjections : nn.Module
{
    private readonly Linear query, key, value;
    private readonly int _heads;

    /// <param name="options">The decoder.</param>
    /// <param name="contextWidth">Width of what keys and values come from.</param>
    internal DecoderProjections(BertTextOptions options, int contextWidth) : base(nameof(DecoderProjections))
    {
        _heads = options.Heads;
        query = new Linear(options.HiddenSize, options.HiddenSize);
        key = new Linear(contextWidth, options.HiddenSize);
        value = new Linear(contextWidth, options.HiddenSize);
        RegisterComponents();
    }

    /// <summary>[B, L, C] to [B, heads, L, size].</summary>
    internal Tensor Query(Tensor hiddenStates)
    {
        using var scope = NewDisposeScope();
        return HeadAttention.Split(query.call(hiddenStates), _heads).MoveToOuterDisposeScope();
    }

    /// <summary>[B, M, context width] to keys and values, each [B, heads, M, size].</summary>
    internal (Tensor Keys, Tensor Values) Context(Tensor context)
    {
        using var scope = NewDisposeScope();
        return (HeadAttention.Split(key.call(context), _heads).contiguous().MoveToOuterDisposeScope(),
            HeadAttention.Split(value.call(context), _heads).contiguous().MoveToOuterDisposeScope());
    }
}

/// <summary>An attention of a text decoder's layer, with what follows it.</summary>
internal sealed class DecoderAttention : nn.Module
{
    private readonly DecoderProjections self;
    private readonly BertOutput output;

    internal DecoderAttention(BertTextOptions options, int contextWidth) : base(nameof(DecoderAttention))
    {
        self = new DecoderProjections(options, contextWidth);
        output = new BertOutput(options, options.HiddenSize);
        RegisterComponents();
    }

    internal DecoderProjections Projections => self;

    /// <summary>[B, L, C] over keys and values [B, heads, M, size] to [B, L, C].</summary>
    internal Tensor Run(Tensor hiddenStates, Tensor keys, Tensor values, Tensor? bias)
    {
        using var scope = NewDisposeScope();
        var mixed = HeadAttention.Attend(self.Query(hiddenStates), keys, values, bias);
        return output.call(mixed, hiddenStates).MoveToOuterDisposeScope();
    }
}

/// <summary>A layer of a text decoder: attention to the tokens before, to what the text is about, and a feed-forward part, each with a
/// norm behind it.</summary>
internal sealed class TextDecoderLayer : nn.Module
{
    private readonly DecoderAttention attention, crossattention;
    private readonly BertIntermediate intermediate;
    private readonly BertOutput output;

    internal TextDecoderLayer(BertTextOptions options, int contextWidth) : base(nameof(TextDecoderLayer))
    {
        attention = new DecoderAttention(options, options.HiddenSize);
        crossattention = new DecoderAttention(options, contextWidth);
        intermediate = new BertIntermediate(options);
        output = new BertOutput(options, options.IntermediateSize);
        RegisterComponents();
    }

    /// <summary>Keys and values of what texts are about, [texts, M, context width]; each [texts, heads, M, size].</summary>
    internal (Tensor Keys, Tensor Values) Context(Tensor context) => crossattention.Projections.Context(context);

    /// <summary>Runs new tokens.</summary>
    /// <param name="hiddenStates">[rows, L, C].</param>
    /// <param name="bias">Added to the scores of tokens, [rows or 1, 1, L, all]; null where each token sees all.</param>
    /// <param name="memory">The tokens before and what the texts are about; the new tokens are added.</param>
    /// <param name="layer">This layer's number, from 0.</param>
    /// <returns>[rows, L, C].</returns>
    internal Tensor Run(Tensor hiddenStates, Tensor? bias, DecoderMemory memory, int layer)
    {
        using var scope = NewDisposeScope();
        var (newKeys, newValues) = attention.Projections.Context(hiddenStates);
        var (keys, values) = memory.Add(layer, newKeys, newValues);
        var attended = attention.Run(hiddenStates, keys, values, bias);
        var (contextKeys, contextValues) = memory.Context(layer);
        // Every token of every row of a text looks at the same context: they are that many queries, and nothing is repeated.
        var seen = crossattention.Run(attended.reshape(memory.Texts, -1, attended.shape[2]), contextKeys, contextValues, null)
            .reshape(attended.shape);
        return output.call(intermediate.call(seen), seen).MoveToOuterDisposeScope();
    }
}

/// <summary>Tokens and their places as vectors.</summary>
internal sealed class DecoderEmbeddings : nn.Module
{
    private readonly Embedding word_embeddings, position_embeddings;
    private readonly LayerNorm LayerNorm;

    internal DecoderEmbeddings(BertTextOptions options) : base(nameof(DecoderEmbeddings))
    {
        word_embeddings = new Embedding(options.VocabularySize, options.HiddenSize, paddingIndex: options.PadTokenId);
        position_embeddings = new Embedding(options.PositionRows, options.HiddenSize);
        LayerNorm = new LayerNorm(options.HiddenSize, options.LayerNormEps);
        RegisterComponents();
    }

    internal Embedding Tokens => word_embeddings;

    /// <summary>Ids [B, L], int64, of places from <paramref name="first"/> on, to [B, L, C].</summary>
    internal Tensor Run(Tensor ids, int first)
    {
        using var scope = NewDisposeScope();
        var places = arange(first, first + ids.shape[1], dtype: ScalarType.Int64, device: ids.device);
        return LayerNorm.call(word_embeddings.call(ids) + position_embeddings.call(places)).MoveToOuterDisposeScope();
    }
}

/// <summary>The layers of a text decoder.</summary>
internal sealed class DecoderStack : nn.Module
{
    private readonly ModuleList<TextDecoderLayer> layer;

    internal DecoderStack(BertTextOptions options, int contextWidth) : base(nameof(DecoderStack))
    {
        layer = new ModuleList<TextDecoderLayer>(
            [.. Enumerable.Range(0, options.Layers).Select(_ => new TextDecoderLayer(options, contextWidth))]);
        RegisterComponents();
    }

    internal ModuleList<TextDecoderLayer> Layers => layer;
}

/// <summary>Embeddings and layers of a text decoder.</summary>
internal sealed class DecoderBody : nn.Module
{
    private readonly DecoderEmbeddings embeddings;
    private readonly DecoderStack encoder;

    internal DecoderBody(BertTextOptions options, int contextWidth) : base(nameof(DecoderBody))
    {
        embeddings = new DecoderEmbeddings(options);
        encoder = new DecoderStack(options, contextWidth);
        RegisterComponents();
    }

    internal DecoderEmbeddings Embeddings => embeddings;

    internal ModuleList<TextDecoderLayer> Layers => encoder.Layers;
}

/// <summary>From hidden states to a score for each token of the vocabulary; the table of tokens serves once more.</summary>
internal sealed class DecoderHead : nn.Module
{
    private readonly DecoderPredictions predictions;

    internal DecoderHead(BertTextOptions options) : base(nameof(DecoderHead))
    {
        predictions = new DecoderPredictions(options);
        RegisterComponents();
    }

    /// <summary>[..., C] and the table [V, C] to [..., V], in float32 at least.</summary>
    internal Tensor Run(Tensor hiddenStates, Tensor table) => predictions.Run(hiddenStates, table);
}

/// <summary>As <see cref="DecoderHead"/>.</summary>
internal sealed class DecoderPredictions : nn.Module
{
    private readonly DecoderTransform transform;
    private readonly Parameter bias;

    internal DecoderPredictions(BertTextOptions options) : base(nameof(DecoderPredictions))
    {
        transform = new DecoderTransform(options);
        bias = LayerInitialization.NewParameter(zeros(options.VocabularySize));
        RegisterComponents();
    }

    internal Tensor Run(Tensor hiddenStates, Tensor table)
    {
        using var scope = NewDisposeScope();
        var logits = nn.functional.linear(transform.call(hiddenStates), table, bias.As(table.dtype));
        return (logits.dtype == ScalarType.Float64 ? logits : logits.to(ScalarType.Float32)).MoveToOuterDisposeScope();
    }
}

/// <summary>The layer before the scores.</summary>
internal sealed class DecoderTransform : nn.Module<Tensor, Tensor>
{
    private readonly Linear dense;
    private readonly LayerNorm LayerNorm;
    private readonly Func<Tensor, Tensor> _activation;

    internal DecoderTransform(BertTextOptions options) : base(nameof(DecoderTransform))
    {
        _activation = TextActivation.Get(options.Activation);
        dense = new Linear(options.HiddenSize, options.HiddenSize);
        LayerNorm = new LayerNorm(options.HiddenSize, options.LayerNormEps);
        RegisterComponents();
    }

    /// <summary>[..., C] to the same shape.</summary>
    public override Tensor forward(Tensor hiddenStates)
    {
        using var scope = NewDisposeScope();
        return LayerNorm.call(_activation(dense.call(hiddenStates))).MoveToOuterDisposeScope();
    }
}

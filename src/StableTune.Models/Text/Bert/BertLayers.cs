using TorchSharp.Modules;

namespace StableTune.Models;

/// <summary>Token, position and type embeddings of a BERT text encoder, and the norm over their sum.</summary>
public sealed class BertEmbeddings : nn.Module<Tensor, Tensor>
{
    private readonly Embedding word_embeddings, position_embeddings, token_type_embeddings;
    private readonly LayerNorm LayerNorm;
    private readonly BertTextOptions _options;

    internal BertEmbeddings(BertTextOptions options) : base(nameof(BertEmbeddings))
    {
        _options = options;
        word_embeddings = new Embedding(options.VocabularySize, options.HiddenSize, paddingIndex: options.PadTokenId);
        position_embeddings = new Embedding(
            options.PositionRows, options.HiddenSize, paddingIndex: options.PositionsFollowPadding ? options.PadTokenId : null);
        token_type_embeddings = new Embedding(options.TypeVocabularySize, options.HiddenSize);
        LayerNorm = new LayerNorm(options.HiddenSize, eps: options.LayerNormEps);
        RegisterComponents();
    }

    /// <summary>The embedding of each token, [vocabulary, C].</summary>
    public Embedding Tokens => word_embeddings;

    /// <summary>Ids [B, L], int64, to [B, L, C].</summary>
    public override Tensor forward(Tensor inputIds)
    {
        using var scope = NewDisposeScope();
        var sum = word_embeddings.call(inputIds) + position_embeddings.call(Positions(inputIds)) + token_type_embeddings.weight[0];
        return LayerNorm.call(sum).MoveToOuterDisposeScope();
    }

    /// <summary>[L] in BERT; [B, L] in RoBERTa, which counts the tokens that are no padding, from the one behind the padding's own
    /// position.</summary>
    private Tensor Positions(Tensor inputIds)
    {
        if (!_options.PositionsFollowPadding) return arange(inputIds.shape[1], dtype: ScalarType.Int64, device: inputIds.device);
        using var scope = NewDisposeScope();
        var text = inputIds.ne(_options.PadTokenId).to(ScalarType.Int64);
        return (text.cumsum(1) * text + _options.PadTokenId).MoveToOuterDisposeScope();
    }
}

/// <summary>Queries, keys and values of a BERT layer, and the attention between them.</summary>
public sealed class BertSelfAttention : nn.Module<Tensor, Tensor?, Tensor>
{
    private readonly Linear query, key, value;
    private readonly int _heads;

    internal BertSelfAttention(BertTextOptions options) : base(nameof(BertSelfAttention))
    {
        _heads = options.Heads;
        query = new Linear(options.HiddenSize, options.HiddenSize);
        key = new Linear(options.HiddenSize, options.HiddenSize);
        value = new Linear(options.HiddenSize, options.HiddenSize);
        RegisterComponents();
    }

    /// <summary>[B, L, C] and what is added to the scores, [B, 1, 1, L] or null, to [B, L, C].</summary>
    public override Tensor forward(Tensor hiddenStates, Tensor? bias)
    {
        using var scope = NewDisposeScope();
        return MaskedTextModel.Attend(query.call(hiddenStates), key.call(hiddenStates), value.call(hiddenStates), bias, _heads)
            .MoveToOuterDisposeScope();
    }
}

/// <summary>A linear layer whose output is added to an input further back, and normed: the end of both halves of a BERT layer.</summary>
public sealed class BertOutput : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly Linear dense;
    private readonly LayerNorm LayerNorm;

    internal BertOutput(BertTextOptions options, int inputWidth) : base(nameof(BertOutput))
    {
        dense = new Linear(inputWidth, options.HiddenSize);
        LayerNorm = new LayerNorm(options.HiddenSize, eps: options.LayerNormEps);
        RegisterComponents();
    }

    /// <summary>[B, L, input width] and the input further back, [B, L, C], to [B, L, C].</summary>
    public override Tensor forward(Tensor hiddenStates, Tensor residual)
    {
        using var scope = NewDisposeScope();
        return LayerNorm.call(dense.call(hiddenStates) + residual).MoveToOuterDisposeScope();
    }
}

/// <summary>The attention half of a BERT layer.</summary>
public sealed class BertAttention : nn.Module<Tensor, Tensor?, Tensor>
{
    private readonly BertSelfAttention self;
    private readonly BertOutput output;

    internal BertAttention(BertTextOptions options) : base(nameof(BertAttention))
    {
        self = new BertSelfAttention(options);
        output = new BertOutput(options, options.HiddenSize);
        RegisterComponents();
    }

    /// <summary>[B, L, C] and what is added to the scores, [B, 1, 1, L] or null, to [B, L, C].</summary>
    public override Tensor forward(Tensor hiddenStates, Tensor? bias)
    {
        using var scope = NewDisposeScope();
        return output.call(self.call(hiddenStates, bias), hiddenStates).MoveToOuterDisposeScope();
    }
}

/// <summary>The widening layer of a BERT layer's feed-forward half.</summary>
public sealed class BertIntermediate : nn.Module<Tensor, Tensor>
{
    private readonly Linear dense;
    private readonly Func<Tensor, Tensor> _activation;

    internal BertIntermediate(BertTextOptions options) : base(nameof(BertIntermediate))
    {
        _activation = TextActivation.Get(options.Activation);
        dense = new Linear(options.HiddenSize, options.IntermediateSize);
        RegisterComponents();
    }

    /// <summary>[B, L, C] to [B, L, intermediate width].</summary>
    public override Tensor forward(Tensor hiddenStates)
    {
        using var scope = NewDisposeScope();
        return _activation(dense.call(hiddenStates)).MoveToOuterDisposeScope();
    }
}

/// <summary>One layer of a BERT text encoder. Adapters look for the linear layers below this class by its name.</summary>
public sealed class BertLayer : nn.Module<Tensor, Tensor?, Tensor>
{
    private readonly BertAttention attention;
    private readonly BertIntermediate intermediate;
    private readonly BertOutput output;

    internal BertLayer(BertTextOptions options) : base(nameof(BertLayer))
    {
        attention = new BertAttention(options);
        intermediate = new BertIntermediate(options);
        output = new BertOutput(options, options.IntermediateSize);
        RegisterComponents();
    }

    /// <summary>[B, L, C] and what is added to the scores, [B, 1, 1, L] or null, to [B, L, C].</summary>
    public override Tensor forward(Tensor hiddenStates, Tensor? bias)
    {
        using var scope = NewDisposeScope();
        var attended = attention.call(hiddenStates, bias);
        return output.call(intermediate.call(attended), attended).MoveToOuterDisposeScope();
    }
}

/// <summary>The stack of layers of a BERT text encoder.</summary>
public sealed class BertEncoder : nn.Module
{
    private readonly ModuleList<BertLayer> layer;

    internal BertEncoder(BertTextOptions options) : base(nameof(BertEncoder))
    {
        layer = new ModuleList<BertLayer>([.. Enumerable.Range(0, options.Layers).Select(_ => new BertLayer(options))]);
        RegisterComponents();
    }

    /// <summary>The layers, the first one first.</summary>
    public IReadOnlyList<BertLayer> Layers => [.. layer];
}

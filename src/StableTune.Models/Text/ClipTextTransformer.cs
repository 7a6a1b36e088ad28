using TorchSharp.Modules;

namespace StableTune.Models;

/// <summary>Token and position embeddings of a CLIP text encoder.</summary>
public sealed class ClipTextEmbeddings : nn.Module<Tensor, Tensor>
{
    private readonly Embedding token_embedding, position_embedding;

    internal ClipTextEmbeddings(ClipTextOptions options) : base(nameof(ClipTextEmbeddings))
    {
        token_embedding = new Embedding(options.VocabularySize, options.HiddenSize);
        position_embedding = new Embedding(options.MaxPositions, options.HiddenSize);
        RegisterComponents();
    }

    /// <summary>The embedding of each token, [vocabulary, C].</summary>
    public Embedding Tokens => token_embedding;

    /// <summary>Ids [B, L], int64, to [B, L, C].</summary>
    public override Tensor forward(Tensor inputIds)
    {
        using var scope = NewDisposeScope();
        var places = arange(inputIds.shape[1], dtype: ScalarType.Int64, device: inputIds.device);
        return (token_embedding.call(inputIds) + position_embedding.call(places)).MoveToOuterDisposeScope();
    }
}

/// <summary>The stack of layers of a CLIP text encoder.</summary>
public sealed class ClipEncoder : nn.Module<Tensor, Tensor>
{
    private readonly ModuleList<ClipEncoderLayer> layers;

    internal ClipEncoder(ClipTextOptions options) : base(nameof(ClipEncoder))
    {
        layers = new ModuleList<ClipEncoderLayer>([.. Enumerable.Range(0, options.Layers).Select(_ => new ClipEncoderLayer(options))]);
        RegisterComponents();
    }

    /// <summary>Whether each layer's activations are dropped after the forward pass and computed again in the backward pass.</summary>
    public bool GradientCheckpointing { get; set; }

    /// <summary>All layers: [B, L, C] to [B, L, C].</summary>
    public override Tensor forward(Tensor hiddenStates) => Run(hiddenStates, layers.Count);

    /// <summary>The first layers only.</summary>
    /// <param name="hiddenStates">Embeddings, [B, L, C].</param>
    /// <param name="count">Layers to run, 0 to all.</param>
    /// <param name="visit">Told of each layer's input and of the last output, in order; they are disposed afterwards unless kept.</param>
    /// <returns>[B, L, C], a fresh tensor.</returns>
    internal Tensor Run(Tensor hiddenStates, int count, Action<Tensor>? visit = null)
    {
        using var scope = NewDisposeScope();
        var mask = CausalMask(hiddenStates);
        var checkpointed = GradientCheckpointing && is_grad_enabled();
        var current = hiddenStates.alias();
        visit?.Invoke(current);
        for (var i = 0; i < count; i++)
        {
            var layer = layers[i];
            current = checkpointed ? ActivationCheckpoint.Run(inputs => layer.call(inputs[0], inputs[1]), current, mask)
                : layer.call(current, mask);
            visit?.Invoke(current);
        }

        return current.MoveToOuterDisposeScope();
    }

    /// <summary>[L, L]: 0 on and below the diagonal, negative infinity above it.</summary>
    private static Tensor CausalMask(Tensor like)
    {
        using var scope = NewDisposeScope();
        var length = like.shape[1];
        return full([length, length], float.NegativeInfinity, dtype: like.dtype, device: like.device).triu(1).MoveToOuterDisposeScope();
    }
}

/// <summary>Embeddings, layers and final norm: what <c>transformers</c> calls <c>text_model</c>.</summary>
public sealed class ClipTextTransformer : nn.Module<Tensor, Tensor>
{
    private readonly ClipTextEmbeddings embeddings;
    private readonly ClipEncoder encoder;
    private readonly LayerNorm final_layer_norm;

    internal ClipTextTransformer(ClipTextOptions options) : base(nameof(ClipTextTransformer))
    {
        embeddings = new ClipTextEmbeddings(options);
        encoder = new ClipEncoder(options);
        final_layer_norm = new LayerNorm(options.HiddenSize, eps: options.LayerNormEps);
        RegisterComponents();
    }

    /// <summary>Token and position embeddings.</summary>
    public ClipTextEmbeddings Embeddings => embeddings;

    /// <summary>The stack of layers.</summary>
    public ClipEncoder Encoder => encoder;

    /// <summary>The norm after the last layer.</summary>
    public LayerNorm FinalNorm => final_layer_norm;

    /// <summary>Ids [B, L], int64, to the last hidden state after the final norm, [B, L, C].</summary>
    public override Tensor forward(Tensor inputIds)
    {
        using var scope = NewDisposeScope();
        return final_layer_norm.call(encoder.call(embeddings.call(inputIds))).MoveToOuterDisposeScope();
    }
}

using TorchSharp.Modules;

namespace StableTune.Models;

/// <summary>The text encoder of CompVis' latent diffusion model, with the parameter names of diffusers' <c>LDMBertModel</c>.</summary>
/// <remarks>
/// Rombach et al. 2021, arXiv:2112.10752: a transformer over BERT's tokens that was trained together with the UNet. Norms come before
/// attention and feed-forward, and one after the last layer. It computes in the type of its weights.
/// </remarks>
public sealed class LdmBertModel : MaskedTextModel
{
    private readonly LdmBertEncoder model;

    /// <summary>Creates the encoder with random weights.</summary>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    public LdmBertModel(LdmBertOptions options) : base(nameof(LdmBertModel))
    {
        ArgumentNullException.ThrowIfNull(options);
        InvalidOptionsException.ThrowIfAny(options.Validate());
        Options = options;
        UseAttentionMask = options.UseAttentionMask;
        model = new LdmBertEncoder(options);
        RegisterComponents();
    }

    /// <summary>The architecture.</summary>
    public LdmBertOptions Options { get; }

    /// <inheritdoc/>
    public override int Layers => Options.Layers;

    /// <inheritdoc/>
    public override int Width => Options.HiddenSize;

    /// <inheritdoc/>
    public override int MaxPositions => Options.MaxPositions;

    /// <inheritdoc/>
    public override Embedding TokenEmbedding => model.Tokens;

    /// <inheritdoc/>
    public override int PadTokenId => Options.PadTokenId;

    private protected override Tensor Run(Tensor inputIds, Tensor? bias, int count, bool finalNorm)
    {
        using var scope = NewDisposeScope();
        var state = RunLayers(model.Layers, count, model.Embed(inputIds), bias, GradientCheckpointing);
        if (finalNorm) state = model.FinalNorm.call(state);
        return state.MoveToOuterDisposeScope();
    }
}

/// <summary>Embeddings, layers and final norm of an LDMBert.</summary>
public sealed class LdmBertEncoder : nn.Module
{
    private readonly Embedding embed_tokens, embed_positions;
    private readonly ModuleList<LdmBertEncoderLayer> layers;
    private readonly LayerNorm layer_norm;

    internal LdmBertEncoder(LdmBertOptions options) : base(nameof(LdmBertEncoder))
    {
        embed_tokens = new Embedding(options.VocabularySize, options.HiddenSize, paddingIndex: options.PadTokenId);
        embed_positions = new Embedding(options.MaxPositions, options.HiddenSize);
        layers = new ModuleList<LdmBertEncoderLayer>(
            [.. Enumerable.Range(0, options.Layers).Select(_ => new LdmBertEncoderLayer(options))]);
        layer_norm = new LayerNorm(options.HiddenSize, eps: LdmBertEncoderLayer.NormEps);
        RegisterComponents();
    }

    /// <summary>The embedding of each token, [vocabulary, C].</summary>
    public Embedding Tokens => embed_tokens;

    /// <summary>The layers, the first one first.</summary>
    public IReadOnlyList<LdmBertEncoderLayer> Layers => [.. layers];

    /// <summary>The norm after the last layer.</summary>
    public LayerNorm FinalNorm => layer_norm;

    /// <summary>Ids [B, L], int64, to [B, L, C].</summary>
    internal Tensor Embed(Tensor inputIds)
    {
        using var scope = NewDisposeScope();
        var places = arange(inputIds.shape[1], dtype: ScalarType.Int64, device: inputIds.device);
        return (embed_tokens.call(inputIds) + embed_positions.call(places)).MoveToOuterDisposeScope();
    }
}

/// <summary>Self-attention of an LDMBert layer. Heads together may be narrower than the hidden states; only the output has a
/// bias.</summary>
public sealed class LdmBertAttention : nn.Module<Tensor, Tensor?, Tensor>
{
    private readonly Linear k_proj, v_proj, q_proj, out_proj;   // in the reference's order
    private readonly int _heads;

    internal LdmBertAttention(LdmBertOptions options) : base(nameof(LdmBertAttention))
    {
        _heads = options.Heads;
        var inner = options.Heads * options.HeadSize;
        k_proj = new Linear(options.HiddenSize, inner, hasBias: false);
        v_proj = new Linear(options.HiddenSize, inner, hasBias: false);
        q_proj = new Linear(options.HiddenSize, inner, hasBias: false);
        out_proj = new Linear(inner, options.HiddenSize);
        RegisterComponents();
    }

    /// <summary>[B, L, C] and what is added to the scores, [B, 1, 1, L] or null, to [B, L, C].</summary>
    public override Tensor forward(Tensor hiddenStates, Tensor? bias)
    {
        using var scope = NewDisposeScope();
        var mixed = MaskedTextModel.Attend(q_proj.call(hiddenStates), k_proj.call(hiddenStates), v_proj.call(hiddenStates), bias, _heads);
        return out_proj.call(mixed).MoveToOuterDisposeScope();
    }
}

/// <summary>One layer of an LDMBert. Adapters look for the linear layers below this class by its name.</summary>
public sealed class LdmBertEncoderLayer : nn.Module<Tensor, Tensor?, Tensor>
{
    /// <summary>Epsilon of the layer norms, which the configuration does not name.</summary>
    internal const double NormEps = 1e-5;

    private readonly LdmBertAttention self_attn;
    private readonly LayerNorm self_attn_layer_norm;
    private readonly Linear fc1, fc2;
    private readonly LayerNorm final_layer_norm;
    private readonly Func<Tensor, Tensor> _activation;

    internal LdmBertEncoderLayer(LdmBertOptions options) : base(nameof(LdmBertEncoderLayer))
    {
        _activation = TextActivation.Get(options.Activation);
        self_attn = new LdmBertAttention(options);
        self_attn_layer_norm = new LayerNorm(options.HiddenSize, eps: NormEps);
        fc1 = new Linear(options.HiddenSize, options.IntermediateSize);
        fc2 = new Linear(options.IntermediateSize, options.HiddenSize);
        final_layer_norm = new LayerNorm(options.HiddenSize, eps: NormEps);
        RegisterComponents();
    }

    /// <summary>[B, L, C] and what is added to the scores, [B, 1, 1, L] or null, to [B, L, C].</summary>
    public override Tensor forward(Tensor hiddenStates, Tensor? bias)
    {
        using var scope = NewDisposeScope();
        var attended = hiddenStates + self_attn.call(self_attn_layer_norm.call(hiddenStates), bias);
        return (attended + fc2.call(_activation(fc1.call(final_layer_norm.call(attended))))).MoveToOuterDisposeScope();
    }
}

namespace StableTune.Models;

/// <summary>Self-attention of a CLIP layer. Adapters look for the linear layers below this class by its name.</summary>
public sealed class ClipAttention : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly Linear k_proj, v_proj, q_proj, out_proj;   // in the reference's order, which is that of adapter files
    private readonly int _heads;

    internal ClipAttention(ClipTextOptions options) : base(nameof(ClipAttention))
    {
        _heads = options.Heads;
        k_proj = new Linear(options.HiddenSize, options.HiddenSize);
        v_proj = new Linear(options.HiddenSize, options.HiddenSize);
        q_proj = new Linear(options.HiddenSize, options.HiddenSize);
        out_proj = new Linear(options.HiddenSize, options.HiddenSize);
        RegisterComponents();
    }

    /// <summary>Attention of each place to those up to it.</summary>
    /// <param name="hiddenStates">[B, L, C].</param>
    /// <param name="mask">Added to the scores, [L, L]: 0 where a place may look, negative infinity where not.</param>
    /// <returns>[B, L, C].</returns>
    public override Tensor forward(Tensor hiddenStates, Tensor mask)
    {
        using var scope = NewDisposeScope();
        var (batch, length, width) = (hiddenStates.shape[0], hiddenStates.shape[1], hiddenStates.shape[2]);
        Tensor Heads(Tensor x) => x.view(batch, length, _heads, width / _heads).transpose(1, 2);   // [B, H, L, C/H]

        var query = Heads(q_proj.call(hiddenStates));
        var key = Heads(k_proj.call(hiddenStates));
        var value = Heads(v_proj.call(hiddenStates));
        var mixed = nn.functional.scaled_dot_product_attention(query, key, value, mask);   // [B, H, L, C/H]
        return out_proj.call(mixed.transpose(1, 2).reshape(batch, length, width)).MoveToOuterDisposeScope();
    }
}

/// <summary>The feed-forward part of a CLIP layer. Adapters look for the linear layers below this class by its name.</summary>
public sealed class ClipMlp : nn.Module<Tensor, Tensor>
{
    private readonly Linear fc1, fc2;
    private readonly Func<Tensor, Tensor> _activation;

    internal ClipMlp(long width, long innerWidth, Func<Tensor, Tensor> activation) : base(nameof(ClipMlp))
    {
        _activation = activation;
        fc1 = new Linear(width, innerWidth);
        fc2 = new Linear(innerWidth, width);
        RegisterComponents();
    }

    /// <summary>[B, L, C] to [B, L, C].</summary>
    public override Tensor forward(Tensor hiddenStates)
    {
        using var scope = NewDisposeScope();
        return fc2.call(_activation(fc1.call(hiddenStates))).MoveToOuterDisposeScope();
    }
}

/// <summary>One layer of CLIP's text encoder: attention and feed-forward, each after a norm and added to its input.</summary>
public sealed class ClipEncoderLayer : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly ClipAttention self_attn;
    private readonly LayerNorm layer_norm1;
    private readonly ClipMlp mlp;
    private readonly LayerNorm layer_norm2;

    internal ClipEncoderLayer(ClipTextOptions options) : base(nameof(ClipEncoderLayer))
    {
        self_attn = new ClipAttention(options);
        layer_norm1 = new LayerNorm(options.HiddenSize, eps: options.LayerNormEps);
        mlp = new ClipMlp(options.HiddenSize, options.IntermediateSize, ClipActivation.Get(options.Activation));
        layer_norm2 = new LayerNorm(options.HiddenSize, eps: options.LayerNormEps);
        RegisterComponents();
    }

    /// <summary>[B, L, C] and the mask [L, L] to [B, L, C].</summary>
    public override Tensor forward(Tensor hiddenStates, Tensor mask)
    {
        using var scope = NewDisposeScope();
        var attended = hiddenStates + self_attn.call(layer_norm1.call(hiddenStates), mask);
        return (attended + mlp.call(layer_norm2.call(attended))).MoveToOuterDisposeScope();
    }
}

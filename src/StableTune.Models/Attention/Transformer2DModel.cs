using TorchSharp.Modules;

namespace StableTune.Models;

/// <summary>Self-attention, attention to the text, feed-forward; each normalised before and added to its input.</summary>
/// <remarks>diffusers' <c>BasicTransformerBlock</c>. The order of the fields is the order in which sd-scripts creates adapters.</remarks>
internal sealed class BasicTransformerBlock : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly Attention attn1;
    private readonly FeedForward ff;
    private readonly Attention attn2;
    private readonly LayerNorm norm1;
    private readonly LayerNorm norm2;
    private readonly LayerNorm norm3;
    private readonly ForwardSettings _settings;

    internal BasicTransformerBlock(int dim, int contextDim, int heads, bool upcast, ForwardSettings settings)
        : base(nameof(BasicTransformerBlock))
    {
        _settings = settings;
        attn1 = new Attention(dim, dim, heads, upcast, settings);
        ff = new FeedForward(dim);
        attn2 = new Attention(dim, contextDim, heads, upcast, settings);
        norm1 = new LayerNorm(dim, 1e-5);
        norm2 = new LayerNorm(dim, 1e-5);
        norm3 = new LayerNorm(dim, 1e-5);
        RegisterComponents();
    }

    /// <summary>[B, N, C] and the context [B, L, contextDim] to [B, N, C].</summary>
    public override Tensor forward(Tensor hidden, Tensor context) => Run(hidden, context, null);

    /// <summary>The same; parts of the block work on merged tokens where cells are given.</summary>
    internal Tensor Run(Tensor hidden, Tensor context, TokenCells? cells)
    {
        using var scope = NewDisposeScope();
        var merging = cells?.Match(hidden);
        var (self, cross, forward) = (Of(cells?.Options.SelfAttention), Of(cells?.Options.CrossAttention), Of(cells?.Options.FeedForward));
        var attended = Spread(self, Attend(attn1, Merged(self, _settings.Norm(norm1, hidden)), null)).add_(hidden);
        var informed = Spread(cross, Attend(attn2, Merged(cross, _settings.Norm(norm2, attended)), context)).add_(attended);
        attended.Dispose();
        // What merges tokens goes with this pass, so that they are merged outside of what is computed again.
        var fed = forward is null ? _settings.Wide(inputs => _settings.Norm(norm3, inputs[0]).Into(ff), informed)
            : Spread(forward, _settings.Wide(inputs => ff.call(inputs[0]), Merged(forward, _settings.Norm(norm3, informed))));
        return fed.add_(informed).MoveToOuterDisposeScope();

        MergedTokens? Of(bool? isMerged) => isMerged == true ? merging : null;
    }

    private static Tensor Merged(MergedTokens? merging, Tensor tokens)
    {
        if (merging is null) return tokens;
        var result = merging.Merge(tokens);
        tokens.Dispose();
        return result;
    }

    private static Tensor Spread(MergedTokens? merging, Tensor tokens)
    {
        if (merging is null) return tokens;
        var result = merging.Unmerge(tokens);
        tokens.Dispose();
        return result;
    }

    private static Tensor Attend(Attention attention, Tensor normed, Tensor? context)
    {
        var result = attention.call(normed, context);
        normed.Dispose();
        return result;
    }
}

/// <summary>Treats every place of a feature map as a token: norm, projection, transformer blocks, projection back, residual.</summary>
/// <remarks>diffusers' <c>Transformer2DModel</c>. Projections are 1x1 convolutions or linear, see
/// <see cref="UNetOptions.UseLinearProjection"/>.</remarks>
internal sealed class Transformer2DModel : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly GroupNorm norm;
    private readonly nn.Module<Tensor, Tensor> proj_in;
    private readonly ModuleList<BasicTransformerBlock> transformer_blocks;
    private readonly nn.Module<Tensor, Tensor> proj_out;
    private readonly bool _linear;
    private readonly ForwardSettings _settings;

    /// <summary>Creates the transformer of one level.</summary>
    internal Transformer2DModel(UNetOptions options, int level, ForwardSettings settings) : base(nameof(Transformer2DModel))
    {
        (_linear, _settings) = (options.UseLinearProjection, settings);
        var channels = options.BlockOutChannels[level];
        norm = new GroupNorm(options.NormNumGroups, channels, 1e-6);
        proj_in = Projection(channels);
        var blocks = Enumerable.Range(0, options.TransformerLayersPerBlock[level]).Select(_ => new BasicTransformerBlock(
            channels, options.CrossAttentionDim, options.AttentionHeads[level], options.UpcastAttention, settings));
        transformer_blocks = new ModuleList<BasicTransformerBlock>(blocks.ToArray());
        proj_out = Projection(channels);
        RegisterComponents();
    }

    /// <summary>The transformer blocks in their order.</summary>
    internal IEnumerable<BasicTransformerBlock> Blocks => transformer_blocks;

    /// <summary>[B, C, h, w] and the context [B, L, contextDim] to [B, C, h, w].</summary>
    public override Tensor forward(Tensor hidden, Tensor context)
    {
        using var scope = NewDisposeScope();
        var (height, width) = (hidden.size(2), hidden.size(3));
        var normed = _settings.Norm(norm, hidden);
        var tokens = _linear ? Tokens(normed).Into(proj_in) : Tokens(normed.Into(proj_in));
        foreach (var block in transformer_blocks)
        {
            // Drawn outside of the block, which may run again in the backward pass.
            var cells = _settings.DrawCells(tokens);
            var next = _settings.Block(block, inputs =>
                cells is null ? block.call(inputs[0], inputs[1]) : block.Run(inputs[0], inputs[1], cells), tokens, context);
            tokens.Dispose();
            tokens = next;
        }

        var output = _linear ? Map(tokens.Into(proj_out), height, width) : Map(tokens, height, width).Into(proj_out);
        return output.add_(hidden).MoveToOuterDisposeScope();
    }

    private nn.Module<Tensor, Tensor> Projection(int channels) =>
        _linear ? new Linear(channels, channels) : new Conv2d(channels, channels, 1);

    private static Tensor Tokens(Tensor map) => map.permute(0, 2, 3, 1).reshape(map.size(0), -1, map.size(1));

    private static Tensor Map(Tensor tokens, long height, long width) =>
        tokens.reshape(tokens.size(0), height, width, -1).permute(0, 3, 1, 2);
}

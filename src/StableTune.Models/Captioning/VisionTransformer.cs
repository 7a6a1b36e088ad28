using TorchSharp.Modules;

namespace StableTune.Models;

/// <summary>A vision transformer, with the parameter names of <c>transformers</c>' <c>BlipVisionModel</c>.</summary>
/// <remarks>Dosovitskiy et al. 2020, arXiv:2010.11929. It computes in the type of its weights; the activation of BLIP's is the exact
/// GELU.</remarks>
public sealed class VisionTransformer : nn.Module<Tensor, Tensor>
{
    private readonly VisionEmbeddings embeddings;
    private readonly VisionEncoder encoder;
    private readonly LayerNorm post_layernorm;

    /// <summary>Creates the network with random weights.</summary>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    public VisionTransformer(VisionTransformerOptions options) : base(nameof(VisionTransformer))
    {
        ArgumentNullException.ThrowIfNull(options);
        InvalidOptionsException.ThrowIfAny(options.Validate());
        Options = options;
        embeddings = new VisionEmbeddings(options);
        encoder = new VisionEncoder(options);
        post_layernorm = new LayerNorm(options.HiddenSize, options.LayerNormEps);
        RegisterComponents();
    }

    /// <summary>The architecture.</summary>
    public VisionTransformerOptions Options { get; }

    /// <summary>A vector for each place, [1, N, C]; the first one stands for the whole picture.</summary>
    public Parameter Positions => embeddings.Positions;

    /// <summary>Positions of pictures of another size, for those of this network: that of the whole picture stays, the others are a picture
    /// that is resized, bicubic and not antialiased.</summary>
    /// <param name="positions">[1, M, C], M - 1 of them in a square.</param>
    /// <returns>[1, N, C], in the caller's scope.</returns>
    public Tensor PositionsFor(Tensor positions) => VisionEmbeddings.Resized(positions, Options.Places);

    internal VisionEmbeddings Embeddings => embeddings;

    internal IReadOnlyList<VisionLayer> Layers => [.. encoder.Layers];

    /// <summary>What is seen at each place.</summary>
    /// <param name="pixels">Normalised pictures, [B, 3, S, S] with S = <see cref="VisionTransformerOptions.ImageSize"/>.</param>
    /// <returns>[B, N, C]: the first of the N places stands for the whole picture.</returns>
    /// <exception cref="ArgumentException">The pictures have another shape.</exception>
    public override Tensor forward(Tensor pixels)
    {
        ArgumentNullException.ThrowIfNull(pixels);
        if (pixels.dim() != 4 || pixels.shape[1] != 3 || pixels.shape[2] != Options.ImageSize || pixels.shape[3] != Options.ImageSize)
            throw new ArgumentException(
                $"The pictures have the shape [{string.Join(", ", pixels.shape)}]; the network takes [B, 3, {Options.ImageSize}, "
                    + $"{Options.ImageSize}].", nameof(pixels));
        using var scope = NewDisposeScope();
        var seen = embeddings.call(pixels);
        foreach (var layer in encoder.Layers)
        {
            var next = layer.call(seen);
            seen.Dispose();
            seen = next;
        }

        return post_layernorm.call(seen).MoveToOuterDisposeScope();
    }
}

/// <summary>A picture in squares, and where each of them is.</summary>
internal sealed class VisionEmbeddings : nn.Module<Tensor, Tensor>
{
    private readonly Parameter class_embedding, position_embedding;
    private readonly Conv2d patch_embedding;

    internal VisionEmbeddings(VisionTransformerOptions options) : base(nameof(VisionEmbeddings))
    {
        class_embedding = LayerInitialization.NewParameter(zeros(1, 1, options.HiddenSize));
        position_embedding = LayerInitialization.NewParameter(zeros(1, options.Places, options.HiddenSize));
        patch_embedding = new Conv2d(3, options.HiddenSize, options.PatchSize, stride: options.PatchSize);
        RegisterComponents();
    }

    /// <summary>A vector for each place, [1, N, C]; the first one is of the whole picture.</summary>
    internal Parameter Positions => position_embedding;

    /// <summary>[B, 3, S, S] to the squares, row by row, [B, N - 1, C].</summary>
    internal Tensor Patches(Tensor pixels)
    {
        using var scope = NewDisposeScope();
        return patch_embedding.call(pixels.As(patch_embedding.weight.dtype)).flatten(2).transpose(1, 2).MoveToOuterDisposeScope();
    }

    /// <summary>[B, 3, S, S] to [B, N, C].</summary>
    public override Tensor forward(Tensor pixels)
    {
        using var scope = NewDisposeScope();
        var patches = Patches(pixels);
        var whole = class_embedding.As(patches.dtype).expand(patches.shape[0], -1, -1);
        return (cat([whole, patches], 1) + position_embedding.As(patches.dtype)).MoveToOuterDisposeScope();
    }

    /// <summary>As <see cref="VisionTransformer.PositionsFor"/>.</summary>
    /// <param name="positions">[1, M, C], of a square of places and one more.</param>
    /// <param name="places">N, likewise.</param>
    /// <returns>[1, N, C], in the caller's scope.</returns>
    internal static Tensor Resized(Tensor positions, long places)
    {
        using var scope = NewDisposeScope();
        var (from, to, width) = (Side(positions.shape[1]), Side(places), positions.shape[2]);
        var squares = positions.narrow(1, 1, positions.shape[1] - 1).reshape(1, from, from, width).permute(0, 3, 1, 2);
        var resized = nn.functional.interpolate(squares, [to, to], mode: InterpolationMode.Bicubic, align_corners: false);
        return cat([positions.narrow(1, 0, 1), resized.permute(0, 2, 3, 1).reshape(1, to * to, width)], 1).MoveToOuterDisposeScope();
    }

    private static long Side(long places) => (long)Math.Round(Math.Sqrt(places - 1));
}

/// <summary>The layers of a vision transformer.</summary>
internal sealed class VisionEncoder : nn.Module
{
    private readonly ModuleList<VisionLayer> layers;

    internal VisionEncoder(VisionTransformerOptions options) : base(nameof(VisionEncoder))
    {
        layers = new ModuleList<VisionLayer>([.. Enumerable.Range(0, options.Layers).Select(_ => new VisionLayer(options))]);
        RegisterComponents();
    }

    internal ModuleList<VisionLayer> Layers => layers;
}

/// <summary>A layer of a vision transformer: attention over all places and a feed-forward part, each behind a norm and added.</summary>
internal sealed class VisionLayer : nn.Module<Tensor, Tensor>
{
    private readonly VisionAttention self_attn;
    private readonly LayerNorm layer_norm1, layer_norm2;
    private readonly ClipMlp mlp;

    internal VisionLayer(VisionTransformerOptions options) : base(nameof(VisionLayer))
    {
        self_attn = new VisionAttention(options);
        layer_norm1 = new LayerNorm(options.HiddenSize, options.LayerNormEps);
        layer_norm2 = new LayerNorm(options.HiddenSize, options.LayerNormEps);
        mlp = new ClipMlp(options.HiddenSize, options.IntermediateSize, TextActivation.Get(options.Activation));
        RegisterComponents();
    }

    /// <summary>[B, N, C] to the same shape.</summary>
    public override Tensor forward(Tensor places)
    {
        using var scope = NewDisposeScope();
        var attended = places + self_attn.call(layer_norm1.call(places));
        return (attended + mlp.call(layer_norm2.call(attended))).MoveToOuterDisposeScope();
    }
}

/// <summary>Attention between all places of a picture; queries, keys and values come from one layer.</summary>
internal sealed class VisionAttention : nn.Module<Tensor, Tensor>
{
    private readonly Linear qkv, projection;
    private readonly int _heads;

    internal VisionAttention(VisionTransformerOptions options) : base(nameof(VisionAttention))
    {
        _heads = options.Heads;
        qkv = new Linear(options.HiddenSize, 3 * options.HiddenSize);
        projection = new Linear(options.HiddenSize, options.HiddenSize);
        RegisterComponents();
    }

    /// <summary>[B, N, C] to the same shape.</summary>
    public override Tensor forward(Tensor places)
    {
        using var scope = NewDisposeScope();
        var parts = qkv.call(places).chunk(3, -1);
        var (query, key, value) = (parts[0], parts[1], parts[2]);
        var mixed = HeadAttention.Attend(HeadAttention.Split(query, _heads), HeadAttention.Split(key, _heads),
            HeadAttention.Split(value, _heads));
        return projection.call(mixed).MoveToOuterDisposeScope();
    }
}

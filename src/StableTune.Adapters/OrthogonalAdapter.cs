namespace StableTune.Adapters;

/// <summary>Options of kinds that turn the outputs of a layer by orthogonal matrices, in blocks of channels.</summary>
public abstract record OrthogonalAdapterOptions : AdapterOptions
{
    /// <summary>What a file says of the blocks; null to follow the options.</summary>
    internal OrthogonalBlocks? Form { get; init; }

    /// <summary>Whether a trained factor scales each output after it was turned.</summary>
    internal virtual bool HasRescale => false;

    /// <summary>What files hold as alpha: the largest norm of all blocks' changes together, divided by the outputs.</summary>
    internal abstract double Limit { get; }

    /// <summary>Whether a limit of 0 stands for none.</summary>
    internal virtual bool ZeroIsUnlimited => true;

    /// <summary>The blocks of a layer: what the file says where it fits, else what the options say.</summary>
    /// <exception cref="InvalidOptionsException">The layer cannot be divided so.</exception>
    internal OrthogonalBlocks BlocksFor(AdaptedLayer layer) =>
        Form is { } form && form.Count * form.Size == layer.Shape.OutFeatures ? form : Divide(layer);

    /// <summary>The blocks that the options give a layer.</summary>
    internal abstract OrthogonalBlocks Divide(AdaptedLayer layer);

    /// <summary>The error of a layer that cannot be divided.</summary>
    private protected InvalidOptionsException Indivisible(AdaptedLayer layer, string name, object value, string rule) =>
        new([new($"{GetType().Name}.{name}", value, $"{rule} in {layer}",
            "choose another number, or leave the layer out by LayerSelection")]);
}

/// <summary>Blocks of channels, and how often they are turned.</summary>
/// <param name="Count">The number of blocks.</param>
/// <param name="Size">Channels of a block.</param>
/// <param name="Stages">How many transforms follow each other; null for one that files hold without a dimension of its own.</param>
internal sealed record OrthogonalBlocks(long Count, long Size, long? Stages = null);

/// <summary>
/// W' = R·W with an orthogonal R, block-diagonal or a chain of such, so y' = R (y − b) + b: the layer's output is turned, the weight is not
/// made again. Each block's rotation is Cayley's (I + S)(I − S)⁻¹ of S = Q − Qᵀ; with a multiplier m, R becomes I + m (R − I). Starts at
/// Q = 0.
/// </summary>
internal abstract class OrthogonalAdapter : NetworkAdapter
{
    private readonly Parameter _blocks;
    private readonly Parameter? _rescale;
    private readonly Tensor _alpha;
    private readonly bool _zeroIsUnlimited;
    private double _limit;

    private protected OrthogonalAdapter(string name, AdaptedLayer layer, OrthogonalAdapterOptions options) : base(name, layer)
    {
        if (layer.Shape is NormShape or ConvolutionShape { Groups: not 1 })
            throw new NotSupportedException($"{name} has no blocks for {layer}: leave norms and convolutions in groups out.");
        using var scope = NewDisposeScope();
        Blocks = options.BlocksFor(layer);
        long[] stages = Blocks.Stages is { } count ? [count] : [];
        register_parameter("oft_blocks", _blocks = Trainable(zeros([.. stages, Blocks.Count, Blocks.Size, Blocks.Size])));
        if (options.HasRescale)
            register_parameter("rescale",
                _rescale = Trainable(ones([layer.Shape.OutFeatures, .. layer.Shape.WeightShape[1..].Select(_ => 1L)])));
        _alpha = full([], options.Limit, dtype: ScalarType.Float32).DetachFromDisposeScope();
        _zeroIsUnlimited = options.ZeroIsUnlimited;
        register_buffer("alpha", _alpha);
        _limit = options.Limit;
    }

    /// <summary>The blocks of this layer.</summary>
    protected OrthogonalBlocks Blocks { get; }

    /// <inheritdoc/>
    public override Tensor Forward(Tensor input, Func<Tensor, Tensor> original)
    {
        ArgumentNullException.ThrowIfNull(original);
        if (Multiplier == 0) return original(input);
        using var scope = NewDisposeScope();
        var output = original(input);
        return (output + ChangeOf(Unbiased(output), Multiplier)).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    protected override Tensor Term(Tensor input)
    {
        using var scope = NewDisposeScope();
        return ChangeOf(Layer.Shape.Apply(input, Layer.Values()), 1).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public sealed override Tensor DeltaWeight(Tensor weight) => DeltaWeight(weight, 1);

    /// <inheritdoc/>
    public sealed override Tensor DeltaWeight(Tensor weight, float multiplier)
    {
        ArgumentNullException.ThrowIfNull(weight);
        using var scope = NewDisposeScope();
        return Change(weight.flatten(1).unsqueeze(0L), multiplier).reshape(weight.shape).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override NormLimit? LimitNorm(double limit)
    {
        // As LyCORIS: the norm is that of the blocks themselves, not of ΔW.
        using var frozen = no_grad();
        using var scope = NewDisposeScope();
        return NormLimit.Of(_blocks.norm().ToDouble(), limit, ratio => _blocks.mul_(ratio));
    }

    /// <inheritdoc/>
    public override void LoadTensors(IReadOnlyDictionary<string, Tensor> tensors)
    {
        base.LoadTensors(tensors);
        _limit = _alpha.item<float>();
    }

    /// <summary>What turning adds to rows of channels.</summary>
    /// <param name="rows">[P, out, S].</param>
    /// <param name="skew">S of each block: [blocks, size, size], or [stages, blocks, size, size].</param>
    /// <param name="multiplier">How strongly it acts.</param>
    /// <returns>As the rows.</returns>
    private protected abstract Tensor Turn(Tensor rows, Tensor skew, float multiplier);

    /// <summary>What is added to an output without bias, [..., out] or [B, out, H, W].</summary>
    private Tensor ChangeOf(Tensor output, float multiplier)
    {
        if (Layer.Shape is LinearShape)
            return Change(output.reshape(-1, output.shape[^1]).t().unsqueeze(0L), multiplier).squeeze(0L).t().reshape(output.shape);
        return Change(output.reshape(output.shape[0], output.shape[1], -1), multiplier).reshape(output.shape);
    }

    private Tensor Change(Tensor rows, float multiplier)
    {
        var change = Turn(rows, Skew(), multiplier);
        if (_rescale is null) return change;
        var factors = _rescale.flatten(1).to(rows.dtype);                                               // [out, 1]
        return change * factors + rows * (factors - 1);
    }

    /// <summary>S = Q − Qᵀ, within the limit.</summary>
    private Tensor Skew()
    {
        var skew = _blocks - _blocks.transpose(-1, -2);
        if (_limit > 0 || !_zeroIsUnlimited)
            skew = skew * (_limit * Layer.Shape.OutFeatures / (skew.norm() + 1e-8)).clamp(max: 1);
        return skew;
    }
}

/// <summary>OFT with one block-diagonal rotation: rows of a block are multiplied by Rᵀ.</summary>
/// <remarks>Qiu et al., arXiv:2306.07280; as in sd-scripts and LyCORIS' diag-OFT.</remarks>
internal sealed class BlockRotationAdapter(AdaptedLayer layer, OrthogonalAdapterOptions options)
    : OrthogonalAdapter(nameof(BlockRotationAdapter), layer, options)
{
    private protected override Tensor Turn(Tensor rows, Tensor skew, float multiplier)
    {
        using var scope = NewDisposeScope();
        var blocks = rows.reshape(rows.shape[0], Blocks.Count, Blocks.Size, -1);
        return (CayleyRotation.Turn(skew, blocks) * multiplier).reshape(rows.shape).MoveToOuterDisposeScope();
    }
}

namespace StableTune.Adapters;

/// <summary>
/// What a layer computes with its weight: a <see cref="LinearShape"/>, a <see cref="ConvolutionShape"/> or a <see cref="NormShape"/>.
/// </summary>
/// <param name="InFeatures">Width of the input, or its channels.</param>
/// <param name="OutFeatures">Width of the output, or its channels.</param>
public abstract record LayerShape(long InFeatures, long OutFeatures)
{
    /// <summary>The shape of the layer's weight: [out, in], [out, in / groups, kh, kw], or that of a norm's factors.</summary>
    public abstract long[] WeightShape { get; }

    /// <summary>Computes what the layer computes, with another weight and without bias; the result is linear in the weight.</summary>
    /// <param name="input">The layer's input: [..., in], [B, in, H, W], or what is normalised.</param>
    /// <param name="weight">A weight; products cast it to the input's type.</param>
    /// <returns>As the layer's output; of a norm in float32 (float64 for an input in float64).</returns>
    public abstract Tensor Apply(Tensor input, Tensor weight);

    /// <summary>
    /// The shape of a layer of this library or of TorchSharp; null for all other modules, and where nothing can be adapted: norms without
    /// factors, convolutions that pad with anything but zeros.
    /// </summary>
    /// <param name="layer">Any module.</param>
    public static LayerShape? Of(nn.Module layer) => layer switch
    {
        Linear linear => new LinearShape(linear.in_features, linear.out_features),
        Conv2d c => new ConvolutionShape(
            c.in_channels, c.out_channels, [.. c.kernel_size], [.. c.stride], [.. c.padding], [.. c.dilation], c.groups),
        LayerNorm norm => new NormShape([norm.width], null, norm.eps),
        GroupNorm norm => new NormShape([norm.num_channels], norm.num_groups, norm.eps),
        TorchSharp.Modules.Linear linear => new LinearShape(linear.in_features, linear.out_features),
        TorchSharp.Modules.Conv2d { padding_mode: PaddingModes.Zeros } c when Padding(c) is { } padding =>
            new ConvolutionShape(c.in_channels, c.out_channels, [.. c.kernel_size], [.. c.stride], padding, [.. c.dilation], c.groups),
        TorchSharp.Modules.LayerNorm { elementwise_affine: true } norm => new NormShape([.. norm.normalized_shape!], null, norm.eps),
        TorchSharp.Modules.GroupNorm { affine: true } norm => new NormShape([.. norm.weight!.shape], norm.num_groups, norm.eps),
        _ => null,
    };

    /// <summary>The padding at each side in numbers; null where the two sides differ.</summary>
    private static long[]? Padding(TorchSharp.Modules.Conv2d c)
    {
        if (c.padding_type is null) return [.. c.padding!];
        if (c.padding_type == TorchSharp.Padding.Valid) return [0, 0];
        var both = c.kernel_size.Zip(c.dilation, (kernel, dilation) => dilation * (kernel - 1)).ToArray();
        return both.All(sum => sum % 2 == 0) ? [.. both.Select(sum => sum / 2)] : null;
    }
}

/// <summary>The shape of a linear layer.</summary>
/// <param name="InFeatures">Width of the input.</param>
/// <param name="OutFeatures">Width of the output.</param>
public sealed record LinearShape(long InFeatures, long OutFeatures) : LayerShape(InFeatures, OutFeatures)
{
    /// <inheritdoc/>
    public override long[] WeightShape => [OutFeatures, InFeatures];

    /// <inheritdoc/>
    public override Tensor Apply(Tensor input, Tensor weight) => Products.Linear(input, weight);

    /// <summary>For messages: "Linear 320 to 1280".</summary>
    public override string ToString() => $"Linear {InFeatures} to {OutFeatures}";
}

/// <summary>The shape of a two-dimensional convolution that pads with zeros; lists are [height, width].</summary>
/// <param name="InFeatures">Channels of the input.</param>
/// <param name="OutFeatures">Channels of the output.</param>
/// <param name="Kernel">Size of the kernel.</param>
/// <param name="Stride">Steps between windows.</param>
/// <param name="Padding">Padding at each side.</param>
/// <param name="Dilation">Spacing of the kernel's elements.</param>
/// <param name="Groups">Blocks of channels that do not see each other.</param>
public sealed record ConvolutionShape(
    long InFeatures, long OutFeatures, long[] Kernel, long[] Stride, long[] Padding, long[] Dilation, long Groups)
    : LayerShape(InFeatures, OutFeatures)
{
    /// <summary>Whether the kernel is 1x1: then the layer is linear in the channels of each pixel.</summary>
    public bool IsPointwise => Kernel is [1, 1];

    /// <inheritdoc/>
    public override long[] WeightShape => [OutFeatures, InFeatures / Groups, .. Kernel];

    /// <inheritdoc/>
    public override Tensor Apply(Tensor input, Tensor weight) =>
        Products.Conv2d(input, weight, null, new ConvolutionGeometry(Stride, Padding, Dilation, Groups));

    /// <summary>For messages: "Conv2d 320 to 320, 3x3".</summary>
    public override string ToString() => $"Conv2d {InFeatures} to {OutFeatures}, {string.Join('x', Kernel)}";
}

/// <summary>The shape of a layer norm or a group norm, of which the weight holds the factors.</summary>
/// <param name="Sizes">Sizes of the last dimensions, which a layer norm works on; or the channels, [C], of a group norm.</param>
/// <param name="Groups">The groups of a group norm; null for a layer norm.</param>
/// <param name="Epsilon">Added to the variance.</param>
public sealed record NormShape(long[] Sizes, long? Groups, double Epsilon) : LayerShape(Sizes[^1], Sizes[^1])
{
    /// <inheritdoc/>
    public override long[] WeightShape => [.. Sizes];

    /// <inheritdoc/>
    public override Tensor Apply(Tensor input, Tensor weight)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(weight);
        using var scope = NewDisposeScope();
        var type = input.dtype == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32;
        var (x, factors) = (input.As(type), weight.As(type));
        var result = Groups is { } groups
            ? GroupNorm.Normalize(x, groups, factors, null, Epsilon)
            : nn.functional.layer_norm(x, Sizes, factors, null, Epsilon);
        return result.MoveToOuterDisposeScope();
    }

    /// <summary>For messages: "GroupNorm of 320 channels", "LayerNorm of 768".</summary>
    public override string ToString() => Groups is null ? $"LayerNorm of {string.Join('x', Sizes)}" : $"GroupNorm of {Sizes[0]} channels";
}

namespace StableTune.Adapters;

/// <summary>What an adapter must know of the layer it is attached to: a linear layer or a two-dimensional convolution.</summary>
/// <param name="InFeatures">Width of the input, or its channels.</param>
/// <param name="OutFeatures">Width of the output, or its channels.</param>
/// <param name="Device">Where the layer's weight lives.</param>
public sealed record LayerShape(long InFeatures, long OutFeatures, Device Device)
{
    /// <summary>How a convolution walks over its input; null for a linear layer.</summary>
    public ConvolutionShape? Convolution { get; init; }

    /// <summary>The shape of the layer's weight: [out, in] or [out, in, kh, kw].</summary>
    public long[] WeightShape => Convolution is { } c ? [OutFeatures, InFeatures / c.Groups, .. c.Kernel] : [OutFeatures, InFeatures];

    /// <summary>The shape of a layer, or null when it is neither <c>Linear</c> nor <c>Conv2d</c>.</summary>
    public static LayerShape? Of(nn.Module layer) => layer switch
    {
        Linear linear => new LayerShape(linear.in_features, linear.out_features, linear.weight.device),
        Conv2d c => new LayerShape(c.in_channels, c.out_channels, c.weight.device)
        {
            Convolution = new ConvolutionShape([.. c.kernel_size], [.. c.stride], [.. c.padding], [.. c.dilation], c.groups),
        },
        _ => null,
    };

    /// <summary>The weight of such a layer, [out, in] or [out, in, kh, kw].</summary>
    /// <exception cref="ArgumentException">The module is neither <c>Linear</c> nor <c>Conv2d</c>.</exception>
    internal static Parameter WeightOf(nn.Module layer) => layer switch
    {
        Linear linear => linear.weight,
        Conv2d convolution => convolution.weight,
        _ => throw new ArgumentException($"{layer.GetName()} is neither Linear nor Conv2d: it has no weight that an adapter could change.", nameof(layer)),
    };

    /// <summary>For messages: "Linear 320 to 1280", "Conv2d 320 to 320, 3x3".</summary>
    public override string ToString() =>
        Convolution is { } c
            ? $"Conv2d {InFeatures} to {OutFeatures}, {string.Join('x', c.Kernel)}"
            : $"Linear {InFeatures} to {OutFeatures}";
}

/// <summary>Geometry of a convolution; lists are [height, width].</summary>
/// <param name="Kernel">Size of the kernel.</param>
/// <param name="Stride">Steps between windows.</param>
/// <param name="Padding">Padding at each side.</param>
/// <param name="Dilation">Spacing of the kernel's elements.</param>
/// <param name="Groups">Blocks of channels that do not see each other.</param>
public sealed record ConvolutionShape(long[] Kernel, long[] Stride, long[] Padding, long[] Dilation, long Groups)
{
    /// <summary>Whether the kernel is 1x1: then the layer is linear in the channels of each pixel.</summary>
    public bool IsPointwise => Kernel is [1, 1];
}

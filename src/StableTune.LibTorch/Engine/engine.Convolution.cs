using static StableTune.LibTorch.torch;

namespace StableTune.LibTorch;

public static unsafe partial class engine
{
    private static readonly Operator s_conv2d = new("conv2d");

    /// <summary>
    /// A two-dimensional convolution that keeps only its weight for the backward pass. libtorch keeps the input too, even when the
    /// weight is frozen and the input's values are never asked for again.
    /// </summary>
    /// <param name="input">[B, in, H, W].</param>
    /// <param name="weight">[out, in / groups, height, width].</param>
    /// <param name="bias">[out], or null.</param>
    /// <param name="stride">Step in each direction, one number or (height, width); null is 1.</param>
    /// <param name="padding">Zeros around the input, one number or (height, width); null is 0.</param>
    /// <param name="dilation">Distance of the kernel's taps, one number or (height, width); null is 1.</param>
    /// <param name="groups">Groups of channels that do not see each other.</param>
    /// <returns>[B, out, H', W']; the plain operator's result when weight or bias want a gradient.</returns>
    /// <exception cref="TorchException">Shapes or dtypes do not fit.</exception>
    public static Tensor conv2d_frozen(Tensor input, Tensor weight, Tensor? bias = null, long[]? stride = null, long[]? padding = null,
        long[]? dilation = null, long groups = 1)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(weight);
        long[] strides = Pair(stride, 1), paddings = Pair(padding, 0), dilations = Pair(dilation, 1);
        if (IsQuickerByWindows(input, weight, bias, strides, paddings, dilations, groups))
            return ConvolveByWindows(input, weight, bias, strides, paddings, dilations);
        if (!input.requires_grad || weight.requires_grad || bias is { requires_grad: true } || input.dim() != 4 || !is_grad_enabled())
            return s_conv2d.Run(input, weight, bias, strides, paddings, dilations, groups);
        fixed (long* s = strides, p = paddings, d = dilations)
        {
            var status = Native.st_conv2d_frozen(input.Handle, weight.Handle, bias?.Handle ?? 0, s, p, d, groups, out var output);
            if (status != 0)
                throw new TorchException("engine.conv2d_frozen", Native.LastError(), TorchException.Describe([input, weight, bias, strides, paddings, dilations, groups]));
            GC.KeepAlive((input, weight, bias));
            return new Tensor(output);
        }
    }

    private static long[] Pair(long[]? given, long preset) => given switch
    {
        null => [preset, preset],
        [var both] => [both, both],
        [_, _] => given,
        _ => throw new ArgumentException($"{given.Length} numbers where one or two (height, width) are expected"),
    };
}

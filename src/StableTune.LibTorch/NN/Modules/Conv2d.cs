using static StableTune.LibTorch.torch;

namespace StableTune.LibTorch.Modules;

/// <summary>A two-dimensional convolution (cross-correlation).</summary>
public sealed class Conv2d : nn.Module<Tensor, Tensor>
{
    private readonly long[] _stride, _padding, _dilation;

    /// <summary>Creates the layer, initialised as PyTorch does: weight and bias uniform within ±1/√(in / groups · kh · kw).</summary>
    /// <param name="in_channels">Channels of the input, a multiple of <paramref name="groups"/>.</param>
    /// <param name="out_channels">Channels of the output, a multiple of <paramref name="groups"/>.</param>
    /// <param name="kernel_size">Height and width of the kernel.</param>
    /// <param name="stride">Steps between windows, (height, width); null for 1.</param>
    /// <param name="padding">Rows and columns added at each side, (height, width); null for 0.</param>
    /// <param name="dilation">Spacing of the kernel's elements, (height, width); null for 1.</param>
    /// <param name="padding_mode">What the padding is filled with.</param>
    /// <param name="groups">Blocks of channels that do not see each other.</param>
    /// <param name="bias">Whether a bias is added.</param>
    /// <param name="device">Where the weights live; null for the CPU.</param>
    /// <param name="dtype">Type of the weights; null for float32. The input must have the same.</param>
    /// <param name="generator">What the initial values are drawn from; null for the global generator.</param>
    /// <exception cref="ArgumentException">Channels are not a multiple of groups.</exception>
    public Conv2d(
        long in_channels, long out_channels, (long, long) kernel_size, (long, long)? stride = null, (long, long)? padding = null,
        (long, long)? dilation = null, PaddingModes padding_mode = PaddingModes.Zeros, long groups = 1, bool bias = true,
        Device? device = null, ScalarType? dtype = null, Generator? generator = null)
        : base(nameof(Conv2d))
    {
        if (groups < 1 || in_channels % groups != 0 || out_channels % groups != 0)
            throw new ArgumentException(
                $"Conv2d: {in_channels} input and {out_channels} output channels cannot be split into {groups} groups: both must be multiples of it.", nameof(groups));
        this.in_channels = in_channels;
        this.out_channels = out_channels;
        this.kernel_size = Pair(kernel_size);
        _stride = Pair(stride ?? (1, 1));
        _padding = Pair(padding ?? (0, 0));
        _dilation = Pair(dilation ?? (1, 1));
        this.padding_mode = padding_mode;
        this.groups = groups;
        weight = nn.Uninitialized([out_channels, in_channels / groups, kernel_size.Item1, kernel_size.Item2], dtype, device);
        register_parameter(nameof(weight), weight);
        if (bias)
        {
            this.bias = nn.Uninitialized([out_channels], dtype, device);
            register_parameter(nameof(bias), this.bias);
        }
        nn.InitialiseAffine(weight, this.bias, generator);
    }

    /// <summary>The kernels, [out, in / groups, kh, kw].</summary>
    public Parameter weight { get; }

    /// <summary>The bias, [out], or null.</summary>
    public Parameter? bias { get; }

    /// <summary>Channels of the input.</summary>
    public long in_channels { get; }

    /// <summary>Channels of the output.</summary>
    public long out_channels { get; }

    /// <summary>Kernel height and width.</summary>
    public IReadOnlyList<long> kernel_size { get; }

    /// <summary>Steps between windows, [height, width].</summary>
    public IReadOnlyList<long> stride => _stride;

    /// <summary>Padding at each side, [height, width].</summary>
    public IReadOnlyList<long> padding => _padding;

    /// <summary>Spacing of the kernel's elements, [height, width].</summary>
    public IReadOnlyList<long> dilation => _dilation;

    /// <summary>What the padding is filled with.</summary>
    public PaddingModes padding_mode { get; }

    /// <summary>Blocks of channels that do not see each other.</summary>
    public long groups { get; }

    /// <summary>Convolves.</summary>
    /// <param name="input">[B, in, H, W] or [in, H, W], of the weights' dtype.</param>
    /// <returns>[B, out, H', W'], H' = ⌊(H + 2·padding - dilation·(kh - 1) - 1) / stride⌋ + 1, W' likewise.</returns>
    public override Tensor forward(Tensor input)
    {
        if (padding_mode is PaddingModes.Zeros) return nn.functional.conv2d(input, weight, bias, _stride, _padding, _dilation, groups);
        using var scope = NewDisposeScope();
        var padded = nn.functional.pad(input, [_padding[1], _padding[1], _padding[0], _padding[0]], padding_mode);
        return nn.functional.conv2d(padded, weight, bias, _stride, [0, 0], _dilation, groups).MoveToOuterDisposeScope();
    }

    private static long[] Pair((long height, long width) pair) => [pair.height, pair.width];
}

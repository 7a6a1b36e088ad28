using System.Runtime.InteropServices;

namespace StableTune.Torch;

/// <summary>A two-dimensional convolution with a square kernel, computed in the type of its input.</summary>
/// <remarks>
/// As <c>torch.nn.Conv2d</c>, with two differences: a frozen weight keeps no input for the backward pass, and a weight of another type than
/// the input is cast where it is used, as autocast does.
/// </remarks>
public sealed class Conv2d : ProductLayer
{
    private readonly ConvolutionGeometry _geometry;

    /// <summary>Creates the layer, initialised as PyTorch does: weight and bias uniform within ±1/√(in / groups · kernel²).</summary>
    /// <param name="inChannels">Channels of the input, a multiple of <paramref name="groups"/>.</param>
    /// <param name="outChannels">Channels of the output, a multiple of <paramref name="groups"/>.</param>
    /// <param name="kernelSize">Height and width of the kernel.</param>
    /// <param name="stride">Steps between windows.</param>
    /// <param name="padding">Zeros at each side.</param>
    /// <param name="dilation">Spacing of the kernel's elements.</param>
    /// <param name="groups">Blocks of channels that do not see each other.</param>
    /// <param name="hasBias">Whether a bias is added.</param>
    /// <exception cref="ArgumentException">Channels are no multiple of the groups.</exception>
    public Conv2d(long inChannels, long outChannels, long kernelSize, long stride = 1, long padding = 0, long dilation = 1,
        long groups = 1, bool hasBias = true)
        : base(nameof(Conv2d), Shape(inChannels, outChannels, kernelSize, groups), hasBias)
    {
        (in_channels, out_channels, this.groups) = (inChannels, outChannels, groups);
        kernel_size = [kernelSize, kernelSize];
        this.stride = [stride, stride];
        this.padding = [padding, padding];
        this.dilation = [dilation, dilation];
        _geometry = new ConvolutionGeometry(this.stride, this.padding, this.dilation, groups);
    }

    private static long[] Shape(long inChannels, long outChannels, long kernelSize, long groups)
    {
        if (groups < 1 || inChannels % groups != 0 || outChannels % groups != 0)
            throw new ArgumentException(
                $"Conv2d: {inChannels} input and {outChannels} output channels cannot be split into {groups} groups: both must be "
                    + $"multiples of it.",
                nameof(groups));
        return [outChannels, inChannels / groups, kernelSize, kernelSize];
    }

    /// <summary>Channels of the input.</summary>
    public long in_channels { get; }

    /// <summary>Channels of the output.</summary>
    public long out_channels { get; }

    /// <summary>Kernel height and width.</summary>
    public long[] kernel_size { get; }

    /// <summary>Steps between windows, [height, width].</summary>
    public long[] stride { get; }

    /// <summary>Zeros at each side, [height, width].</summary>
    public long[] padding { get; }

    /// <summary>Spacing of the kernel's elements, [height, width].</summary>
    public long[] dilation { get; }

    /// <summary>Blocks of channels that do not see each other.</summary>
    public long groups { get; }

    /// <summary>Convolves.</summary>
    /// <param name="input">[B, in, H, W] or [in, H, W].</param>
    /// <returns>[B, out, H', W'] of the input's type, H' = ⌊(H + 2·padding - dilation·(kernel - 1) - 1) / stride⌋ + 1, W'
    /// likewise.</returns>
    /// <exception cref="TorchException">The input has other channels, or is smaller than the kernel.</exception>
    public override Tensor forward(Tensor input) => IsWrapped ? Wrapped(input, Compute) : Compute(input);

    private Tensor Compute(Tensor input)
    {
        try
        {
            return Quantized is { } codes ? Products.Conv2d(input, codes, TappedParameter.Of(bias), _geometry)
                : Products.Conv2d(input, TappedParameter.Of(weight)!, TappedParameter.Of(bias), _geometry);
        }
        catch (ExternalException e)
        {
            throw new TorchException($"Conv2d {in_channels} to {out_channels}, {kernel_size[0]}x{kernel_size[1]}", e, input, weight);
        }
    }
}

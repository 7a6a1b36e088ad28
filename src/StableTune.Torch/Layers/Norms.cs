using System.Runtime.InteropServices;

namespace StableTune.Torch;

/// <summary>Normalises each sample's groups of channels to mean 0 and variance 1, then scales and shifts per channel. Computes in
/// float32.</summary>
/// <remarks>Wu and He, Group normalization, arXiv:1803.08494; as <c>torch.nn.GroupNorm</c> under autocast.</remarks>
public sealed class GroupNorm : Layer
{
    private Parameter _weight;
    private Parameter _bias;

    /// <summary>Creates the layer with weights of 1 and biases of 0.</summary>
    /// <param name="numGroups">Number of groups, a divisor of the channels.</param>
    /// <param name="numChannels">Channels of the input.</param>
    /// <param name="eps">Added to the biased variance.</param>
    public GroupNorm(long numGroups, long numChannels, double eps = 1e-5) : base(nameof(GroupNorm))
    {
        (num_groups, num_channels, this.eps) = (numGroups, numChannels, eps);
        _weight = LayerInitialization.Filled(1, numChannels);
        _bias = LayerInitialization.Filled(0, numChannels);
        register_parameter(nameof(weight), _weight);
        register_parameter(nameof(bias), _bias);
    }

    /// <summary>The factors, [C].</summary>
    public Parameter weight { get => _weight; set => _weight = Replace(nameof(weight), _weight, value)!; }

    /// <summary>What is added, [C].</summary>
    public Parameter bias { get => _bias; set => _bias = Replace(nameof(bias), _bias, value)!; }

    /// <summary>Number of groups.</summary>
    public long num_groups { get; }

    /// <summary>Channels of the input.</summary>
    public long num_channels { get; }

    /// <summary>Added to the biased variance.</summary>
    public double eps { get; }

    /// <summary>Normalises.</summary>
    /// <param name="input">[B, C, ...].</param>
    /// <returns>As the input.</returns>
    /// <exception cref="TorchException">The input has other channels or another width.</exception>
    public override Tensor forward(Tensor input) => IsWrapped ? Wrapped(input, Compute) : Compute(input);

    /// <summary>Normalises groups of channels, as <c>torch.nn.functional.group_norm</c>.</summary>
    /// <remarks>
    /// libtorch's backward pass on the CPU writes the gradient of an input whose channels lie innermost also where none is wanted: the
    /// process would end where factors are trained and what lies before is not, or where their gradients alone are asked for. Seen in
    /// 2.10. Where factors are trained, such an input is therefore laid out anew.
    /// </remarks>
    /// <param name="input">[B, C, ...].</param>
    /// <param name="groups">Number of groups, a divisor of the channels.</param>
    /// <param name="weight">The factors, [C], of the input's type; null for 1.</param>
    /// <param name="bias">What is added, [C], of the input's type; null for 0.</param>
    /// <param name="eps">Added to the biased variance.</param>
    /// <returns>Of the input's shape and type.</returns>
    /// <exception cref="ArgumentNullException">There is no input.</exception>
    /// <exception cref="ExternalException">Shapes or types do not fit.</exception>
    public static Tensor Normalize(Tensor input, long groups, Tensor? weight, Tensor? bias, double eps)
    {
        ArgumentNullException.ThrowIfNull(input);
        var isTrained = weight is { requires_grad: true } || bias is { requires_grad: true };
        if (!is_grad_enabled() || !isTrained || input.dim() < 4 || input.device_type != DeviceType.CPU)
            return nn.functional.group_norm(input, groups, weight, bias, eps);
        using var scope = NewDisposeScope();
        // Tensors of three dimensions have no layout with channels innermost. Strides do not tell it of a map of a single place.
        return nn.functional.group_norm(input.flatten(2), groups, weight, bias, eps).reshape(input.shape).MoveToOuterDisposeScope();
    }

    /// <summary>Normalises, and leaves the result in the type that it was computed in.</summary>
    /// <param name="input">[B, C, ...].</param>
    /// <returns>As the input, in float32 (float64 for an input in float64).</returns>
    /// <exception cref="TorchException">The input has other channels.</exception>
    public Tensor Float32(Tensor input) => IsWrapped ? Wrapped(input, ComputeFloat32) : ComputeFloat32(input);

    private Tensor Compute(Tensor input) => Precise.Rounded(ComputeFloat32(input), input.dtype);

    private Tensor ComputeFloat32(Tensor input)
    {
        using var scope = NewDisposeScope();
        var (x, w, b) = Precise.Of(input, TappedParameter.Of(_weight)!, TappedParameter.Of(_bias)!);
        try
        {
            return Normalize(x, num_groups, w, b, eps).MoveToOuterDisposeScope();
        }
        catch (ExternalException e)
        {
            throw new TorchException($"GroupNorm of {num_channels} channels in {num_groups} groups", e, input, _weight);
        }
    }
}

/// <summary>Normalises over the last dimension to mean 0 and variance 1, then scales and shifts per element. Computes in float32.</summary>
/// <remarks>Ba, Kiros and Hinton, Layer normalization, arXiv:1607.06450; as <c>torch.nn.LayerNorm</c> under autocast.</remarks>
public sealed class LayerNorm : Layer
{
    private readonly long[] _shape;
    private Parameter _weight;
    private Parameter _bias;

    /// <summary>Creates the layer with weights of 1 and biases of 0.</summary>
    /// <param name="width">Size of the last dimension.</param>
    /// <param name="eps">Added to the biased variance.</param>
    public LayerNorm(long width, double eps = 1e-5) : base(nameof(LayerNorm))
    {
        (_shape, this.eps) = ([width], eps);
        _weight = LayerInitialization.Filled(1, width);
        _bias = LayerInitialization.Filled(0, width);
        register_parameter(nameof(weight), _weight);
        register_parameter(nameof(bias), _bias);
    }

    /// <summary>The factors, [width].</summary>
    public Parameter weight { get => _weight; set => _weight = Replace(nameof(weight), _weight, value)!; }

    /// <summary>What is added, [width].</summary>
    public Parameter bias { get => _bias; set => _bias = Replace(nameof(bias), _bias, value)!; }

    /// <summary>Size of the last dimension.</summary>
    public long width => _shape[0];

    /// <summary>Added to the biased variance.</summary>
    public double eps { get; }

    /// <summary>Normalises.</summary>
    /// <param name="input">[..., width].</param>
    /// <returns>As the input.</returns>
    /// <exception cref="TorchException">The input has other channels or another width.</exception>
    public override Tensor forward(Tensor input) => IsWrapped ? Wrapped(input, Compute) : Compute(input);

    private Tensor Compute(Tensor input)
    {
        using var scope = NewDisposeScope();
        var (x, w, b) = Precise.Of(input, TappedParameter.Of(_weight)!, TappedParameter.Of(_bias)!);
        try
        {
            return Precise.Rounded(nn.functional.layer_norm(x, _shape, w, b, eps), input.dtype).MoveToOuterDisposeScope();
        }
        catch (ExternalException e)
        {
            throw new TorchException($"LayerNorm of {width}", e, input, _weight);
        }
    }
}

/// <summary>Half precision to float32 and back.</summary>
internal static class Precise
{
    /// <summary>A norm's input and weights in the type that it computes in: float64 for an input in float64, else float32.</summary>
    internal static (Tensor Input, Tensor Weight, Tensor Bias) Of(Tensor input, Tensor weight, Tensor bias)
    {
        var type = input.dtype == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32;
        return (input.As(type), weight.As(type), bias.As(type));
    }

    /// <summary>The tensor in the type; a converted one takes its place.</summary>
    internal static Tensor Rounded(Tensor precise, ScalarType type)
    {
        if (precise.dtype == type) return precise;
        using (precise) return precise.to(type);
    }
}

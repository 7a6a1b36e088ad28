using static StableTune.LibTorch.torch;

namespace StableTune.LibTorch.Modules;

/// <summary>Group normalisation: mean 0 and variance 1 over each sample's group of channels, then scale and shift per channel.</summary>
/// <remarks>Wu and He, Group Normalization, arXiv:1803.08494.</remarks>
public sealed class GroupNorm : nn.Module<Tensor, Tensor>
{
    /// <summary>Creates the layer with weight 1 and bias 0.</summary>
    /// <param name="num_groups">Number of groups.</param>
    /// <param name="num_channels">Channels of the input, a multiple of <paramref name="num_groups"/>.</param>
    /// <param name="eps">Added to the (biased) variance.</param>
    /// <param name="affine">Whether there are a weight and a bias.</param>
    /// <param name="device">Where they live; null for the CPU.</param>
    /// <param name="dtype">Their type; null for float32.</param>
    /// <exception cref="ArgumentException">The channels cannot be split into the groups.</exception>
    public GroupNorm(long num_groups, long num_channels, double eps = 1e-05, bool affine = true, Device? device = null, ScalarType? dtype = null)
        : base(nameof(GroupNorm))
    {
        if (num_groups < 1 || num_channels % num_groups != 0)
            throw new ArgumentException(
                $"GroupNorm: {num_channels} channels cannot be split into {num_groups} groups: the channels must be a multiple of it.", nameof(num_groups));
        (this.num_groups, this.num_channels, this.eps) = (num_groups, num_channels, eps);
        if (!affine) return;
        weight = nn.Filled([num_channels], 1, dtype, device);
        bias = nn.Filled([num_channels], 0, dtype, device);
        register_parameter(nameof(weight), weight);
        register_parameter(nameof(bias), bias);
    }

    /// <summary>Scale of each channel, [C], or null.</summary>
    public Parameter? weight { get; }

    /// <summary>Shift of each channel, [C], or null.</summary>
    public Parameter? bias { get; }

    /// <summary>Number of groups.</summary>
    public long num_groups { get; }

    /// <summary>Channels of the input.</summary>
    public long num_channels { get; }

    /// <summary>Added to the variance.</summary>
    public double eps { get; }

    /// <summary>Normalises.</summary>
    /// <param name="input">[B, C, ...].</param>
    /// <returns>As the input.</returns>
    public override Tensor forward(Tensor input) => nn.functional.group_norm(input, num_groups, weight, bias, eps);
}

/// <summary>Layer normalisation: mean 0 and variance 1 over the last dimensions, then scale and shift per element.</summary>
/// <remarks>Ba et al., Layer Normalization, arXiv:1607.06450.</remarks>
public sealed class LayerNorm : nn.Module<Tensor, Tensor>
{
    private readonly long[] _shape;

    /// <summary>Creates the layer with weight 1 and bias 0.</summary>
    /// <param name="normalized_shape">The sizes of the last dimensions, over which is normalised.</param>
    /// <param name="eps">Added to the (biased) variance.</param>
    /// <param name="elementwise_affine">Whether there is a weight.</param>
    /// <param name="bias">Whether there is a bias too.</param>
    /// <param name="device">Where they live; null for the CPU.</param>
    /// <param name="dtype">Their type; null for float32.</param>
    public LayerNorm(
        long[] normalized_shape, double eps = 1e-05, bool elementwise_affine = true, bool bias = true, Device? device = null, ScalarType? dtype = null)
        : base(nameof(LayerNorm))
    {
        ArgumentNullException.ThrowIfNull(normalized_shape);
        _shape = [.. normalized_shape];
        this.eps = eps;
        if (!elementwise_affine) return;
        weight = nn.Filled(_shape, 1, dtype, device);
        register_parameter(nameof(weight), weight);
        if (!bias) return;
        this.bias = nn.Filled(_shape, 0, dtype, device);
        register_parameter(nameof(bias), this.bias);
    }

    /// <summary>Creates the layer over the last dimension alone, with weight 1 and bias 0.</summary>
    /// <param name="normalized_shape">The size of the last dimension.</param>
    /// <param name="eps">Added to the (biased) variance.</param>
    /// <param name="elementwise_affine">Whether there is a weight.</param>
    /// <param name="bias">Whether there is a bias too.</param>
    /// <param name="device">Where they live; null for the CPU.</param>
    /// <param name="dtype">Their type; null for float32.</param>
    public LayerNorm(
        long normalized_shape, double eps = 1e-05, bool elementwise_affine = true, bool bias = true, Device? device = null, ScalarType? dtype = null)
        : this([normalized_shape], eps, elementwise_affine, bias, device, dtype) { }

    /// <summary>Scale of each element, as <see cref="normalized_shape"/>, or null.</summary>
    public Parameter? weight { get; }

    /// <summary>Shift of each element, as <see cref="normalized_shape"/>, or null.</summary>
    public Parameter? bias { get; }

    /// <summary>The sizes of the last dimensions, over which is normalised.</summary>
    public IReadOnlyList<long> normalized_shape => _shape;

    /// <summary>Added to the variance.</summary>
    public double eps { get; }

    /// <summary>Normalises.</summary>
    /// <param name="input">[..., normalized_shape].</param>
    /// <returns>As the input.</returns>
    public override Tensor forward(Tensor input) => nn.functional.layer_norm(input, _shape, weight, bias, eps);
}

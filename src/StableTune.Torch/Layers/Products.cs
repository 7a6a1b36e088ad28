namespace StableTune.Torch;

/// <summary>Linear layers and convolutions as functions, in the input's type, keeping for the backward pass no more than gradients
/// need.</summary>
/// <remarks>
/// libtorch's convolution keeps its input even when the weight is frozen and the input's values are never asked for again; these do not. A
/// weight of another type than the input is cast where it is used, and cast again in the backward pass instead of being kept twice; one
/// in bfloat16 and few rows of float32 may do without the cast.
/// </remarks>
public static class Products
{
    /// <summary>input · weightᵀ + bias.</summary>
    /// <param name="input">[..., in].</param>
    /// <param name="weight">[out, in].</param>
    /// <param name="bias">[out], or null.</param>
    /// <returns>[..., out], of the input's type.</returns>
    public static Tensor Linear(Tensor input, Tensor weight, Tensor? bias = null)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(weight);
        if (TrainedLinear.Serves(input, weight, bias)) return TrainedLinear.Apply(input, weight, bias);
        // libtorch keeps the input of a matrix product only for the gradient of the weight: a frozen one needs no node of ours to save
        // memory.
        var isPlain = weight.dtype == input.dtype && !HalfPrecision.IsStorageOnly(input) && !LinearProduct.IsQuickerByOneDnn(input, weight);
        return !isPlain && FrozenProduct.Serves(input, weight, bias)
            ? FrozenProduct.Apply(LinearProduct.Instance, input, new KeptWeight(weight), bias)
            : LinearProduct.Instance.Compute(input, weight, bias);
    }

    /// <summary>A two-dimensional convolution (cross-correlation).</summary>
    /// <param name="input">[B, in, H, W] or [in, H, W].</param>
    /// <param name="weight">[out, in / groups, kh, kw].</param>
    /// <param name="bias">[out], or null.</param>
    /// <param name="geometry">How it walks over the input.</param>
    /// <returns>[B, out, H', W'], of the input's type.</returns>
    public static Tensor Conv2d(Tensor input, Tensor weight, Tensor? bias, ConvolutionGeometry geometry)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(weight);
        ArgumentNullException.ThrowIfNull(geometry);
        Product product = WindowProduct.IsQuicker(input, weight, bias, geometry) ? new WindowProduct(geometry)
            : new ConvolutionProduct(geometry);
        return input.dim() == 4 && FrozenProduct.Serves(input, weight, bias)
            ? FrozenProduct.Apply(product, input, new KeptWeight(weight), bias)
            : product.Compute(input, weight, bias);
    }

    /// <summary>input · weightᵀ + bias with a frozen weight that is held as codes: it is made for the product, and once more for the
    /// backward pass, which keeps the codes alone.</summary>
    /// <param name="input">[..., in].</param>
    /// <param name="weight">[out, in].</param>
    /// <param name="bias">[out], or null.</param>
    /// <returns>[..., out], of the input's type.</returns>
    public static Tensor Linear(Tensor input, QuantizedWeight weight, Tensor? bias = null)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(weight);
        return Coded(LinearProduct.Instance, input, weight, bias, FrozenProduct.Serves(input, bias));
    }

    /// <summary>A two-dimensional convolution with a frozen weight that is held as codes.</summary>
    /// <param name="input">[B, in, H, W] or [in, H, W].</param>
    /// <param name="weight">[out, in / groups, kh, kw].</param>
    /// <param name="bias">[out], or null.</param>
    /// <param name="geometry">How it walks over the input.</param>
    /// <returns>[B, out, H', W'], of the input's type.</returns>
    public static Tensor Conv2d(Tensor input, QuantizedWeight weight, Tensor? bias, ConvolutionGeometry geometry)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(weight);
        ArgumentNullException.ThrowIfNull(geometry);
        return Coded(new ConvolutionProduct(geometry), input, weight, bias, input.dim() == 4 && FrozenProduct.Serves(input, bias));
    }

    private static Tensor Coded(Product product, Tensor input, QuantizedWeight weight, Tensor? bias, bool keepsCodes)
    {
        if (keepsCodes) return FrozenProduct.Apply(product, input, new KeptWeight(weight), bias);
        using var scope = NewDisposeScope();
        return product.Compute(input, weight.Dequantize(HalfPrecision.ComputeType(input)), bias).MoveToOuterDisposeScope();
    }
}

/// <summary>How a convolution walks over its input; each pair is (height, width).</summary>
/// <param name="Stride">Steps between windows.</param>
/// <param name="Padding">Zeros at each side.</param>
/// <param name="Dilation">Spacing of the kernel's elements.</param>
/// <param name="Groups">Blocks of channels that do not see each other.</param>
public sealed record ConvolutionGeometry(long[] Stride, long[] Padding, long[] Dilation, long Groups = 1)
{
    /// <summary>Every place by itself, as a 1x1 convolution walks.</summary>
    public static ConvolutionGeometry Pointwise { get; } = new([1, 1], [0, 0], [1, 1]);
}

/// <summary>A product that is linear in its input: how it is computed, and the gradient of the input.</summary>
internal abstract record Product
{
    /// <summary>The product in the input's type, recorded by autograd as it comes.</summary>
    internal Tensor Compute(Tensor input, Tensor weight, Tensor? bias)
    {
        using var scope = NewDisposeScope();
        var (type, compute) = (input.dtype, HalfPrecision.ComputeType(input));
        return Forward(input.As(compute), weight, bias?.As(compute)).As(type).MoveToOuterDisposeScope();
    }

    /// <summary>The gradient of the input, in the type of the output's gradient.</summary>
    internal Tensor ComputeInputGradient(Tensor gradient, Tensor weight, InputForm input)
    {
        using var scope = NewDisposeScope();
        var (type, compute) = (gradient.dtype, HalfPrecision.ComputeType(gradient));
        return InputGradient(gradient.As(compute), weight, input).As(type).MoveToOuterDisposeScope();
    }

    /// <summary>The product in the type of the input and the bias; the weight may be of another, and is cast where need be.</summary>
    private protected abstract Tensor Forward(Tensor input, Tensor weight, Tensor? bias);

    /// <summary>The gradient of the input in the type of the gradient; the weight may be of another.</summary>
    private protected abstract Tensor InputGradient(Tensor gradient, Tensor weight, InputForm input);
}

/// <summary>What the gradient of an input depends on: shape and memory layout, never the values.</summary>
/// <param name="Shape">Sizes.</param>
/// <param name="Strides">The strides of an input whose channels lie innermost; null for any other.</param>
internal sealed record InputForm(long[] Shape, long[]? Strides)
{
    internal static InputForm Of(Tensor input) =>
        new(input.shape, input.dim() == 4 && !input.is_contiguous() && input.stride(1) == 1 ? input.stride() : null);

    /// <summary>A tensor of this form; its values are undefined, and without strides it takes no memory.</summary>
    internal Tensor Stand(Tensor like) => Strides is null
        ? empty(1, dtype: like.dtype, device: like.device).expand(Shape)
        : empty_strided(Shape, Strides, dtype: like.dtype, device: like.device);
}

internal sealed record LinearProduct : Product
{
    internal static LinearProduct Instance { get; } = new();

    internal static bool IsQuickerByOneDnn(Tensor input, Tensor weight)
    {
        if (weight.dim() != 2 || !weight.is_contiguous()) return false;
        long outer = weight.size(0), inner = weight.size(1);
        return input.dim() >= 2 && input.size(-1) == inner && OneDnn.IsQuicker(input, input.numel() / inner, inner, outer);
    }

    private protected override Tensor Forward(Tensor input, Tensor weight, Tensor? bias)
    {
        if (StoredProduct.Serves(input, weight, Rows(input, weight, 1), bias))
        {
            var stored = StoredProduct.Multiply(input.reshape(-1, weight.size(1)), weight).view([.. input.shape[..^1], weight.size(0)]);
            return bias is null ? stored : stored.add_(bias);
        }

        weight = weight.As(input.dtype);
        var records = is_grad_enabled() && (input.requires_grad || weight.requires_grad || bias is { requires_grad: true });
        if (records || !IsQuickerByOneDnn(input, weight)) return nn.functional.linear(input, weight, bias);
        var product = OneDnn.Multiply(input.contiguous(), weight);
        return bias is null ? product : product.add_(bias);
    }

    private protected override Tensor InputGradient(Tensor gradient, Tensor weight, InputForm input)
    {
        long[] shape = [.. gradient.shape[..^1], weight.size(1)];
        if (StoredProduct.Serves(gradient, weight, Rows(gradient, weight, 0)))
            return StoredProduct.MultiplyBack(gradient.reshape(-1, weight.size(0)), weight).view(shape);
        weight = weight.As(gradient.dtype);
        return !is_grad_enabled() && weight.is_contiguous()
            && OneDnn.IsQuicker(gradient, gradient.numel() / weight.size(0), weight.size(0), weight.size(1))
            ? OneDnn.Multiply(gradient.contiguous(), weight.t())
            : gradient.reshape(-1, weight.size(0)).mm(weight).reshape(shape);
    }

    /// <summary>How many rows a product has; 0 where the two do not fit, which libtorch words.</summary>
    private static long Rows(Tensor rows, Tensor weight, int dimension) =>
        rows.dim() >= 1 && weight.dim() == 2 && rows.size(-1) == weight.size(dimension) && weight.size(dimension) > 0
            ? rows.numel() / weight.size(dimension) : 0;
}

internal sealed record ConvolutionProduct(ConvolutionGeometry Geometry) : Product
{
    private protected override Tensor Forward(Tensor input, Tensor weight, Tensor? bias)
    {
        weight = weight.As(input.dtype);
        return WholeBlocks.Serve(input, weight, bias, Geometry.Groups) ? WholeBlocks.Convolve(input, weight, bias, Geometry)
            : Convolutions.Compute(input, weight, bias, Geometry);
    }

    private protected override Tensor InputGradient(Tensor gradient, Tensor weight, InputForm input)
    {
        weight = weight.As(gradient.dtype);
        return WholeBlocks.Serve(gradient, weight, Geometry.Groups) ? WholeBlocks.InputGradient(gradient, weight, Geometry, input)
            : Convolutions.InputGradient(gradient, weight, input.Stand(weight), Geometry);
    }
}

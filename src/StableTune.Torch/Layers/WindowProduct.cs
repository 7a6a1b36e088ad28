namespace StableTune.Torch;

/// <summary>A convolution as weight · windows, for frozen weights on the CPU: large ones over small maps, and those of single places where
/// MKL is slow.</summary>
/// <remarks>
/// oneDNN brings the weight into a layout of its own at every call. For a large weight and a small map that costs more than the
/// convolution, and as much memory as the weight. A convolution of single places is a product as it is; libtorch leaves it to MKL where
/// one thread computes.
/// </remarks>
internal sealed record WindowProduct(ConvolutionGeometry Geometry) : Product
{
    private const long LargeWeight = 1 << 19, SmallMap = 64;

    private static readonly Operator s_toWindows = new("aten::im2col"), s_toMap = new("aten::col2im"), s_shaped = new("aten::_unsafe_view");

    /// <summary>Whether this is the better form of the convolution.</summary>
    internal static bool IsQuicker(Tensor input, Tensor weight, Tensor? bias, ConvolutionGeometry geometry)
    {
        if (geometry.Groups != 1 || input.dim() != 4 || weight.dim() != 4) return false;
        if (input.device_type != DeviceType.CPU || !weight.is_contiguous()) return false;
        long[] shape = input.shape, kernel = weight.shape;
        if (input.dtype != weight.dtype || shape[1] != kernel[1]) return false;
        if (is_grad_enabled() && (weight.requires_grad || bias is { requires_grad: true })) return false;
        // Errors, which libtorch words.
        if (geometry.Stride.Min() < 1 || geometry.Padding.Min() < 0 || geometry.Dilation.Min() < 1) return false;
        if (bias is not null && bias.numel() != kernel[0]) return false;
        if (IsOfSinglePlaces(kernel, geometry))
            return shape[0] > 0 && input.is_contiguous() && (OneDnn.IsQuicker(input, kernel[0], kernel[1], shape[2] * shape[3])
                || StoredProduct.Fits(weight, shape[0] * shape[2] * shape[3]));
        if (kernel[2] * kernel[3] == 1 || weight.numel() < LargeWeight) return false;
        var (rows, columns) = (Places(shape, kernel, geometry, 0), Places(shape, kernel, geometry, 1));
        return rows > 0 && columns > 0 && shape[0] * rows * columns is > 0 and <= SmallMap
            && input.dtype is ScalarType.Float32 or ScalarType.BFloat16;
    }

    private static bool IsOfSinglePlaces(long[] kernel, ConvolutionGeometry geometry) =>
        kernel[2] * kernel[3] == 1 && geometry.Stride.Max() == 1 && geometry.Padding.Max() == 0;

    private protected override Tensor Forward(Tensor input, Tensor weight, Tensor? bias)
    {
        long[] shape = input.shape, kernel = weight.shape;
        // [B, in · kh · kw, places]
        var windows = IsOfSinglePlaces(kernel, Geometry) ? input.view(shape[0], shape[1], -1)
            : s_toWindows.Call(input, new[] { kernel[2], kernel[3] }, Geometry.Dilation, Geometry.Padding, Geometry.Stride);
        // [B, out, places]
        var products = StoredProduct.Serves(windows, weight, shape[0] * windows.size(2), bias)
            ? Stored(windows, kernel[0], places => StoredProduct.Multiply(places, weight, isTurned: true))
            : PerSample(windows, weight.As(input.dtype).view(kernel[0], -1), Multiply);
        // Not a view for autograd, which does not let the result of a node be changed in place where it is one.
        var map = s_shaped.Call(products,
            new[] { shape[0], kernel[0], Places(shape, kernel, Geometry, 0), Places(shape, kernel, Geometry, 1) });
        return bias is null ? map : map.add_(bias.view(-1, 1, 1));
    }

    private protected override Tensor InputGradient(Tensor gradient, Tensor weight, InputForm input)
    {
        var kernel = weight.shape;
        // [B, out, places]
        var places = gradient.reshape(gradient.size(0), kernel[0], -1);
        // [B, in · kh · kw, places]
        var windows = StoredProduct.Serves(places, weight, places.size(0) * places.size(2))
            ? Stored(places, weight.numel() / kernel[0], rows => StoredProduct.MultiplyBack(rows, weight, isTurned: true))
            : PerSample(places, weight.As(gradient.dtype).view(kernel[0], -1), MultiplyTransposed);
        if (IsOfSinglePlaces(kernel, Geometry)) return s_shaped.Call(windows, input.Shape);
        return s_toMap.Call(windows, input.Shape[2..], new[] { kernel[2], kernel[3] }, Geometry.Dilation, Geometry.Padding,
            Geometry.Stride);
    }

    /// <summary>kernels [out, n] · windows [n, places].</summary>
    private static Tensor Multiply(Tensor kernels, Tensor windows) =>
        OneDnn.IsQuicker(kernels, kernels.size(0), kernels.size(1), windows.size(1)) ? OneDnn.Multiply(kernels, windows.t())
            : kernels.mm(windows);

    /// <summary>kernelsᵀ [n, out] · places [out, places].</summary>
    private static Tensor MultiplyTransposed(Tensor kernels, Tensor places)
    {
        var (outputs, inputs, count) = (kernels.size(0), kernels.size(1), places.size(1));
        // A second derivative is recorded by libtorch's own product alone.
        if (is_grad_enabled() || !OneDnn.IsQuicker(kernels, count, outputs, inputs)) return kernels.t().mm(places);
        // What is turned around is copied: the kernels, or what they are multiplied with and the result.
        return outputs * inputs <= count * (outputs + inputs) ? OneDnn.Multiply(kernels.t().contiguous(), places.t())
            : OneDnn.Multiply(places.t().contiguous(), kernels.t()).t().contiguous();
    }

    private static Tensor PerSample(Tensor samples, Tensor kernels, Func<Tensor, Tensor, Tensor> product) => samples.size(0) == 1
        ? product(kernels, samples[0]).unsqueeze(0)
        : stack([.. Enumerable.Range(0, (int)samples.size(0)).Select(sample => product(kernels, samples[sample]))]);

    /// <summary>All samples in one product, which reads the weight once.</summary>
    /// <param name="samples">[B, n, places].</param>
    /// <param name="outputs">Numbers that the product gives for each place.</param>
    /// <param name="product">Of [B · places, n], laid out as [outputs, B · places].</param>
    /// <returns>[B, outputs, places], contiguous.</returns>
    private static Tensor Stored(Tensor samples, long outputs, Func<Tensor, Tensor> product)
    {
        var (batch, places) = (samples.size(0), samples.size(2));
        return batch == 1 ? product(samples[0].t()).unsqueeze(0)
            : product(samples.transpose(1, 2).reshape(batch * places, -1)).view(outputs, batch, places).transpose(0, 1).contiguous();
    }

    private static long Places(long[] input, long[] kernel, ConvolutionGeometry geometry, int direction) =>
        (input[2 + direction] + 2 * geometry.Padding[direction] - geometry.Dilation[direction] * (kernel[2 + direction] - 1) - 1)
        / geometry.Stride[direction] + 1;
}

namespace StableTune.Torch;

/// <summary>A convolution as weight · windows, for large weights and small maps on the CPU.</summary>
/// <remarks>
/// oneDNN brings the weight into a layout of its own at every call. For a large weight and a small map that costs more than the
/// convolution, and as much memory as the weight. Keeps the weight only for the backward pass.
/// </remarks>
internal static class WindowProduct
{
    private const long LargeWeight = 1 << 19, SmallMap = 64;

    /// <summary>Whether this is the better form of the convolution.</summary>
    internal static bool IsQuicker(Tensor input, Tensor weight, Tensor? bias, ConvolutionGeometry geometry)
    {
        if (geometry.Groups != 1 || input.dim() != 4 || weight.dim() != 4 || weight.numel() < LargeWeight) return false;
        if (input.device_type != DeviceType.CPU || !weight.is_contiguous() || HalfPrecision.IsStorageOnly(input)) return false;
        long[] shape = input.shape, kernel = weight.shape;
        if (kernel[2] * kernel[3] == 1 || input.dtype != weight.dtype || shape[1] != kernel[1]) return false;
        if (is_grad_enabled() && (weight.requires_grad || bias is { requires_grad: true })) return false;
        // Errors, which libtorch words.
        if (geometry.Stride.Min() < 1 || geometry.Padding.Min() < 0 || geometry.Dilation.Min() < 1) return false;
        if (bias is not null && bias.numel() != kernel[0]) return false;
        var (rows, columns) = (Places(shape, kernel, geometry, 0), Places(shape, kernel, geometry, 1));
        return rows > 0 && columns > 0 && shape[0] * rows * columns is > 0 and <= SmallMap && input.dtype is ScalarType.Float32 or ScalarType.BFloat16;
    }

    /// <summary>The convolution.</summary>
    /// <param name="input">[B, in, H, W].</param>
    /// <param name="weight">[out, in, kh, kw], contiguous.</param>
    /// <param name="bias">[out], or null.</param>
    /// <param name="geometry">How it walks over the input.</param>
    /// <returns>[B, out, H', W'].</returns>
    internal static Tensor Compute(Tensor input, Tensor weight, Tensor? bias, ConvolutionGeometry geometry)
    {
        using var scope = NewDisposeScope();
        long[] shape = input.shape, kernel = weight.shape;
        var windows = Windows.Call(input, new[] { kernel[2], kernel[3] }, geometry.Dilation, geometry.Padding, geometry.Stride);   // [B, in · kh · kw, places]
        var kernels = weight.view(kernel[0], -1);
        var products = shape[0] == 1 ? kernels.mm(windows[0]).unsqueeze(0) : kernels.matmul(windows);
        var map = products.view(shape[0], kernel[0], Places(shape, kernel, geometry, 0), Places(shape, kernel, geometry, 1));
        if (bias is not null) map.add_(bias.As(map.dtype).view(-1, 1, 1));
        return map.MoveToOuterDisposeScope();
    }

    private static readonly Operator Windows = new("aten::im2col");

    private static long Places(long[] input, long[] kernel, ConvolutionGeometry geometry, int direction) =>
        (input[2 + direction] + 2 * geometry.Padding[direction] - geometry.Dilation[direction] * (kernel[2 + direction] - 1) - 1)
        / geometry.Stride[direction] + 1;
}

using static StableTune.LibTorch.torch;

namespace StableTune.LibTorch;

public static unsafe partial class engine
{
    // On the CPU, oneDNN brings the weight into a layout of its own at every call. For a large weight and a small map that costs more
    // than the convolution, and as much memory as the weight. Measured on 2 cores, forward, 3x3: 2560 to 1280 channels at 4x4, bfloat16
    // 21 ms against 2 ms as a product with the map's windows, float32 40 against 20 ms; 1280 to 1280 at 8x8, 6.4 against 2.5 and
    // 24 against 17 ms. At 16x16 oneDNN is the faster one.
    private const long LargeWeight = 1 << 19, SmallMap = 64;

    private static readonly Operator s_windows = new("im2col");

    /// <summary>Whether the product with the map's windows is the better form of this convolution.</summary>
    private static bool IsQuickerByWindows(Tensor input, Tensor weight, Tensor? bias, long[] strides, long[] paddings, long[] dilations, long groups)
    {
        if (groups != 1 || input.dim() != 4 || weight.dim() != 4 || weight.numel() < LargeWeight) return false;
        if (!input.is_cpu() || !weight.is_contiguous()) return false;
        if (weight.size(2) * weight.size(3) == 1 || input.dtype != weight.dtype || input.size(1) != weight.size(1)) return false;
        if (is_grad_enabled() && (weight.requires_grad || bias is { requires_grad: true })) return false;
        if (strides.Min() < 1) return false;                                 // an error, which libtorch words
        var (rows, columns) = (Places(input, weight, strides, paddings, dilations, 0), Places(input, weight, strides, paddings, dilations, 1));
        return rows > 0 && columns > 0 && input.size(0) * rows * columns is > 0 and <= SmallMap && input.dtype is (ScalarType.Float32 or ScalarType.BFloat16);
    }

    /// <summary>The convolution as weight · windows; keeps the weight only for the backward pass.</summary>
    private static Tensor ConvolveByWindows(Tensor input, Tensor weight, Tensor? bias, long[] strides, long[] paddings, long[] dilations)
    {
        using var scope = NewDisposeScope();
        var windows = s_windows.Run(input, new[] { weight.size(2), weight.size(3) }, dilations, paddings, strides);   // [B, in · kh · kw, places]
        var kernels = weight.view(weight.size(0), -1);
        var products = windows.size(0) == 1 ? kernels.mm(windows[0]).unsqueeze(0) : kernels.matmul(windows);
        var map = products.view(input.size(0), weight.size(0),
            Places(input, weight, strides, paddings, dilations, 0), Places(input, weight, strides, paddings, dilations, 1));
        if (bias is not null) map.add_(bias.view(-1, 1, 1));
        return map.MoveToOuterDisposeScope();
    }

    private static long Places(Tensor input, Tensor weight, long[] strides, long[] paddings, long[] dilations, int direction) =>
        (input.size(2 + direction) + 2 * paddings[direction] - dilations[direction] * (weight.size(2 + direction) - 1) - 1) / strides[direction] + 1;
}

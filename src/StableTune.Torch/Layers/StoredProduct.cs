using System.Runtime.Intrinsics.X86;

namespace StableTune.Torch;

/// <summary>
/// Products of few float32 rows and a frozen weight that is stored as bfloat16. The weight is read once, as it is stored, and widened
/// panel by panel in the processor's nearest cache: a float32 copy of all of it, written to memory and read again, takes up to as
/// long as the product.
/// </summary>
/// <remarks>Each number is summed by one thread in one order, so that the bits do not depend on how many threads there are.</remarks>
internal static unsafe class StoredProduct
{
    /// <summary>Below so many multiplications one thread is quicker than several.</summary>
    private const long FewestShared = 1 << 18;

    [ThreadStatic] private static bool s_isOff;

    /// <summary>Whether the product of so many rows and a weight is computed here.</summary>
    /// <param name="rows">What is multiplied, or the gradient of what was.</param>
    /// <param name="weight">[out, ...], of which all but the first dimension count as one.</param>
    /// <param name="count">How many rows there are.</param>
    /// <param name="bias">What is added to the product, or null.</param>
    internal static bool Serves(Tensor rows, Tensor weight, long count, Tensor? bias = null) =>
        Fits(weight, count) && rows.dtype == ScalarType.Float32 && rows.device_type == DeviceType.CPU
            && !(is_grad_enabled() && (rows.requires_grad || weight.requires_grad || bias is { requires_grad: true }));

    /// <summary>Whether a weight is stored so that its product with so many float32 rows is computed here.</summary>
    internal static bool Fits(Tensor weight, long count) =>
        Avx512F.IsSupported && !s_isOff && count is > 0 and <= StoredPanel.MostRows
            && weight.dtype == ScalarType.BFloat16 && weight.device_type == DeviceType.CPU
            && weight.dim() >= 2 && weight.numel() > 0 && weight.is_contiguous()
            && weight.size(0) % StoredPanel.Width == 0 && weight.numel() / weight.size(0) % StoredPanel.Width == 0;

    /// <summary>For tests: whether this thread casts weights whole.</summary>
    internal static void SwitchOff(bool isOff) => s_isOff = isOff;

    /// <summary>rows · weightᵀ.</summary>
    /// <param name="rows">[rows, in], float32, of any strides.</param>
    /// <param name="weight">[out, in] or [out, in / groups, kh, kw], bfloat16, contiguous.</param>
    /// <param name="isTurned">Whether the result is laid out as its transpose.</param>
    /// <returns>[rows, out], float32, or [out, rows]. No gradient is recorded.</returns>
    internal static Tensor Multiply(Tensor rows, Tensor weight, bool isTurned = false) =>
        Multiply(rows, weight, isBack: false, isTurned, get_num_threads());

    /// <summary>rows · weight.</summary>
    /// <param name="rows">[rows, out], float32, of any strides.</param>
    /// <param name="weight">[out, in] or [out, in / groups, kh, kw], bfloat16, contiguous.</param>
    /// <param name="isTurned">Whether the result is laid out as its transpose.</param>
    /// <returns>[rows, in], float32, or [in, rows]. No gradient is recorded.</returns>
    internal static Tensor MultiplyBack(Tensor rows, Tensor weight, bool isTurned = false) =>
        Multiply(rows, weight, isBack: true, isTurned, get_num_threads());

    /// <summary>Either product, by no more than so many threads.</summary>
    internal static Tensor Multiply(Tensor rows, Tensor weight, bool isBack, bool isTurned, int threads)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows.size(0), StoredPanel.MostRows);
        var (outputs, inputs) = ((int)weight.size(0), (int)(weight.numel() / weight.size(0)));
        var (count, columns) = ((int)rows.size(0), isBack ? inputs : outputs);
        var result = isTurned ? empty(columns, count, dtype: ScalarType.Float32) : empty(count, columns, dtype: ScalarType.Float32);
        var product = new StoredPanel
        {
            Rows = (float*)rows.DataPointer(), RowStep = (nint)rows.stride(0), PlaceStep = (nint)rows.stride(1), Count = count,
            Weight = (ushort*)weight.DataPointer(), Inputs = inputs, Outputs = outputs, IsBack = isBack,
            Result = (float*)result.DataPointer(), ResultRowStep = isTurned ? 1 : columns, ResultColumnStep = isTurned ? count : 1,
        };
        var panels = columns / StoredPanel.Width;
        if (threads > 1 && count * weight.numel() >= FewestShared)
            ComputeThreads.For(panels, threads, product.Compute);
        else
            for (var panel = 0; panel < panels; panel++) product.Compute(panel);
        GC.KeepAlive(rows);
        GC.KeepAlive(weight);
        GC.KeepAlive(result);
        return result;
    }
}

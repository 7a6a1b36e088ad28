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

    /// <summary>So many parts for each thread let all end at about the same time; parts of fewer rows would widen more than they
    /// multiply.</summary>
    private const int PartsOfAThread = 4, FewestRows = 16;

    [ThreadStatic] private static bool s_isOff;

    /// <summary>Whether the product of so many rows and a frozen weight is computed here.</summary>
    /// <param name="rows">What is multiplied, or the gradient of what was.</param>
    /// <param name="weight">[out, ...], of which all but the first dimension count as one.</param>
    /// <param name="count">How many rows there are.</param>
    /// <param name="bias">What is added to the product, or null.</param>
    internal static bool Serves(Tensor rows, Tensor weight, long count, Tensor? bias = null) =>
        Fits(weight, count) && rows.dtype == ScalarType.Float32 && rows.device_type == DeviceType.CPU
            && (bias is null || (bias.dim() == 1 && bias.size(0) == weight.size(0) && bias.device_type == DeviceType.CPU))
            // Whatever is recorded now: a pass that is computed again with gradients must give the same.
            && !weight.requires_grad && bias is not { requires_grad: true } && !(is_grad_enabled() && rows.requires_grad);

    /// <summary>Whether a weight is stored so that its product with so many float32 rows is computed here.</summary>
    internal static bool Fits(Tensor weight, long count) =>
        Avx512F.IsSupported && !s_isOff && count is > 0 and <= StoredPanel.MostRows
            && weight.dtype == ScalarType.BFloat16 && HalfPrecision.IsStorageOnly(weight)
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
        var result = empty(isTurned ? [columns, count] : [count, columns], dtype: ScalarType.Float32, device: CPU);
        var product = new StoredPanel
        {
            Rows = (float*)rows.DataPointer(), RowStep = (nint)rows.stride(0), PlaceStep = (nint)rows.stride(1),
            Weight = (ushort*)weight.DataPointer(), Inputs = inputs, Outputs = outputs, IsBack = isBack,
            Result = (float*)result.DataPointer(), ResultRowStep = isTurned ? 1 : columns, ResultColumnStep = isTurned ? count : 1,
        };
        var panels = columns / StoredPanel.Width;
        if (count * weight.numel() < FewestShared) threads = 1;
        // Where panels are too few to go round, several threads widen the same one, each for some of the rows.
        var shares = threads == 1 ? 1 : Math.Clamp(PartsOfAThread * threads / panels, 1, Math.Max(1, count / FewestRows));
        var rowsOfAShare = (count + shares - 1) / shares;
        ComputeThreads.For(panels * shares, threads, part =>
            product.Compute(part / shares, part % shares * rowsOfAShare, Math.Min(count, (part % shares + 1) * rowsOfAShare)));
        GC.KeepAlive(rows);
        GC.KeepAlive(weight);
        GC.KeepAlive(result);
        return result;
    }
}

using System.Runtime.Intrinsics.X86;

namespace StableTune.Torch;

/// <summary>
/// Whether half precision is a type to compute in. On a processor without instructions for it, products in bfloat16 are several times
/// slower than in float32, and on Intel's that have AVX512-BF16 but not AMX they are slower too, as these instructions do no more at a time
/// than those of float32: there it is a type of storage, and products run in float32. On a CPU float16 is always such a type, as
/// libtorch's CPU kernels for it are incomplete.
/// </summary>
public static class HalfPrecision
{
    private static readonly bool s_computesInBFloat16 = HasBFloat16Products(Environment.GetEnvironmentVariable("ONEDNN_MAX_CPU_ISA"));

    [ThreadStatic] private static bool? s_assumed;

    /// <summary>Whether this processor multiplies bfloat16 matrices itself, faster than float32: with AMX, or AMD's with
    /// AVX512-BF16.</summary>
    public static bool ProcessorComputesInBFloat16 => s_assumed ?? s_computesInBFloat16;

    /// <summary>The type that products of a tensor are computed in.</summary>
    /// <param name="tensor">The input of a product.</param>
    /// <returns>float32 for float16 on a CPU, and for bfloat16 on one that is no faster with it; else the tensor's own type.</returns>
    public static ScalarType ComputeType(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return IsStorageOnly(tensor) ? ScalarType.Float32 : tensor.dtype;
    }

    /// <summary>Whether a tensor is of half precision and lies on a CPU that does not compute in it.</summary>
    internal static bool IsStorageOnly(Tensor tensor) => IsStorageOnly(tensor.dtype) && tensor.device_type == DeviceType.CPU;

    /// <summary>Whether the CPU of this machine holds this type but computes in float32.</summary>
    /// <param name="type">A floating-point type.</param>
    public static bool IsStorageOnly(ScalarType type) =>
        type == ScalarType.Float16 || (type == ScalarType.BFloat16 && !ProcessorComputesInBFloat16);

    /// <summary>For tests: what this thread takes the processor for; null for what it is.</summary>
    internal static void Assume(bool? computesInBFloat16) => s_assumed = computesInBFloat16;

    /// <summary>oneDNN can be told not to use instructions that are there; then they must not be counted on.</summary>
    internal static bool HasBFloat16Products(string? limit)
    {
        if (limit is { Length: > 0 } && !(
            limit.Contains("BF16", StringComparison.OrdinalIgnoreCase) || limit.Contains("AMX", StringComparison.OrdinalIgnoreCase)
            || limit.Contains("AVX10", StringComparison.OrdinalIgnoreCase)
            || limit.Equals("ALL", StringComparison.OrdinalIgnoreCase) || limit.Equals("DEFAULT", StringComparison.OrdinalIgnoreCase)))
            return false;
        if (!X86Base.IsSupported || X86Base.CpuId(0, 0).Eax < 7 || !Avx512F.IsSupported) return false;
        var hasAmx = (X86Base.CpuId(7, 0).Edx & (1 << 22)) != 0;
        var hasAvx512 = (X86Base.CpuId(7, 1).Eax & (1 << 5)) != 0;
        if (!Processor.IsIntel) return hasAmx || hasAvx512;
        return hasAmx && !(limit ?? "").EndsWith("BF16", StringComparison.OrdinalIgnoreCase);
    }
}

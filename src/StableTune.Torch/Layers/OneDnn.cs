using System.Runtime.InteropServices;

namespace StableTune.Torch;

/// <summary>
/// float32 matrix products by oneDNN in place of MKL. On processors that are not Intel's MKL leaves out the wider instructions: there
/// oneDNN, which libtorch uses for
/// convolutions alone, is two to four times as fast.
/// </summary>
internal static class OneDnn
{
    /// <summary>Below so many multiplications the way there costs more than is gained.</summary>
    private const long FewestProducts = 1 << 20;

    private static readonly Operator s_linear = new("mkldnn::_linear_pointwise");
    [ThreadStatic] private static bool? s_assumed;
    private static readonly Lazy<bool> s_outrunsBlas = new(() => LibTorch.HasMkl && !Processor.IsIntel && Exists());

    /// <summary>Whether a product of [rows, inner] and [inner, columns] is quicker here.</summary>
    internal static bool IsQuicker(Tensor like, long rows, long inner, long columns) =>
        like.dtype == ScalarType.Float32 && like.device_type == DeviceType.CPU && rows * inner * columns >= FewestProducts
            && (s_assumed ?? s_outrunsBlas.Value);

    /// <summary>For tests: whether this thread takes oneDNN to be the quicker; null for what it is here.</summary>
    internal static void Assume(bool? outrunsBlas) => s_assumed = outrunsBlas;

    /// <summary>left · rightᵀ.</summary>
    /// <param name="left">[..., inner], contiguous.</param>
    /// <param name="right">[columns, inner], or the transposed view of a contiguous [inner, columns], which is the quicker of the
    /// two.</param>
    /// <returns>[..., columns]. No gradient is recorded.</returns>
    internal static Tensor Multiply(Tensor left, Tensor right) =>
        s_linear.Call(left, right, OperatorArgument.None, "none", Array.Empty<Tensor>(), OperatorArgument.None);

    private static bool Exists()
    {
        try
        {
            using var scope = NewDisposeScope();
            using var frozen = no_grad();
            return Multiply(ones(2, 3), ones(4, 3)).sum().item<float>() == 24;
        }
        catch (Exception e) when (e is TorchException or ExternalException)
        {
            return false;
        }
    }
}

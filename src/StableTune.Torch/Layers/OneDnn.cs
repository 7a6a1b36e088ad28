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

    /// <summary>The widest block in which a right factor is laid out.</summary>
    private const long Block = 64;

    private static readonly Operator s_linear = new("mkldnn::_linear_pointwise");
    private static readonly Lazy<bool> s_outrunsBlas = new(() => LibTorch.HasMkl && !Processor.IsIntel && Exists());

    /// <summary>Whether a product of [rows, inner] and [inner, columns] is quicker here.</summary>
    internal static bool IsQuicker(Tensor like, long rows, long inner, long columns) =>
        like.dtype == ScalarType.Float32 && like.device_type == DeviceType.CPU && rows * inner * columns >= FewestProducts
            && s_outrunsBlas.Value && Fits(inner, columns);

    /// <summary>Whether oneDNN may be trusted with a right factor: where it fills blocks up wrong (<see cref="WholeBlocks"/>), only with
    /// one that is laid out in whole blocks.</summary>
    internal static bool Fits(long inner, long columns) => !WholeBlocks.AreNeeded || (inner % Block == 0 && columns % Block == 0);

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

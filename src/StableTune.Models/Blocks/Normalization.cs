namespace StableTune.Models;

/// <summary>Norms in float32 whatever the compute type is, as mixed-precision training has them.</summary>
/// <remarks>In half precision the float32 copies are made again in the backward pass instead of being kept.</remarks>
internal static class Normalization
{
    /// <summary>Group norm computed in float32; result of x's shape and dtype.</summary>
    internal static Tensor Norm(this ForwardSettings settings, GroupNorm norm, Tensor x) =>
        IsPrecise(x) ? norm.call(x) : settings.Elementwise(inputs => Rounded(norm.Float32(inputs[0]), inputs[0].dtype), x);

    /// <summary>Layer norm computed in float32; result of x's shape and dtype.</summary>
    internal static Tensor Norm(this ForwardSettings settings, LayerNorm norm, Tensor x) =>
        IsPrecise(x) ? norm.call(x) : settings.Elementwise(inputs => Rounded(norm.Float32(inputs[0]), inputs[0].dtype), x);

    /// <summary>Group norm computed in float32, and left in it (float64 stays what it is).</summary>
    internal static Tensor Float32(this GroupNorm norm, Tensor x)
    {
        if (IsPrecise(x)) return norm.call(x);
        using var scope = NewDisposeScope();
        return nn.functional.group_norm(
            x.to(ScalarType.Float32), norm.num_groups, norm.weight?.to(ScalarType.Float32), norm.bias?.to(ScalarType.Float32), norm.eps).MoveToOuterDisposeScope();
    }

    private static Tensor Float32(this LayerNorm norm, Tensor x)
    {
        using var scope = NewDisposeScope();
        return nn.functional.layer_norm(
            x.to(ScalarType.Float32), [.. norm.normalized_shape], norm.weight?.to(ScalarType.Float32), norm.bias?.to(ScalarType.Float32), norm.eps).MoveToOuterDisposeScope();
    }

    private static Tensor Rounded(Tensor precise, ScalarType dtype)
    {
        using (precise) return precise.to(dtype);
    }

    /// <summary>The tensor itself if it has the dtype, else a converted one.</summary>
    internal static Tensor As(this Tensor x, ScalarType dtype) => x.dtype == dtype ? x : x.to(dtype);

    private static bool IsPrecise(Tensor x) => x.dtype is ScalarType.Float32 or ScalarType.Float64;
}

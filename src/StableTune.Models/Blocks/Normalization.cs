namespace StableTune.Models;

/// <summary>Norms, which compute in float32 whatever the type of the network is, as mixed-precision training has them.</summary>
/// <remarks>In half precision the float32 copies are made again in the backward pass instead of being kept.</remarks>
internal static class Normalization
{
    /// <summary>Group or layer norm computed in float32; result of x's shape and dtype.</summary>
    internal static Tensor Norm(this ForwardSettings settings, Layer norm, Tensor x) =>
        x.dtype is ScalarType.Float32 or ScalarType.Float64 ? norm.call(x) : settings.Elementwise(inputs => norm.call(inputs[0]), x);
}

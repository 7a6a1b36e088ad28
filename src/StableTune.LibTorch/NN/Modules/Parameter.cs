using static StableTune.LibTorch.torch;

namespace StableTune.LibTorch.Modules;

/// <summary>
/// A tensor that a module owns and an optimizer may change: a leaf of the graph, outside all dispose scopes. It lives until
/// its module, or whoever made it, disposes it.
/// </summary>
public sealed class Parameter : Tensor
{
    /// <summary>Makes a parameter of a tensor's values, without copying them.</summary>
    /// <param name="data">The values. The parameter takes the tensor over: <paramref name="data"/> is disposed and must not be used again.</param>
    /// <param name="requires_grad">Whether a gradient is wanted. False for integer types, which have none.</param>
    public Parameter(Tensor data, bool requires_grad = true) : base(TakeOver(data), scope: null) => this.requires_grad = requires_grad;

    /// <summary>A native reference to the values alone, cut off from the graph; the given object is disposed.</summary>
    private static nint TakeOver(Tensor data)
    {
        ArgumentNullException.ThrowIfNull(data);
        using (data)
        using (var values = data.detach())
            return Native.st_tensor_share(values.Handle);
    }
}

namespace StableTune.Torch;

/// <summary>Tensors and parameters of layers.</summary>
public static class LayerParameters
{
    /// <summary>The tensor itself when it has the type, else a converted one, which the current dispose scope holds.</summary>
    /// <param name="tensor">Any tensor.</param>
    /// <param name="type">The type that is wanted.</param>
    public static Tensor As(this Tensor tensor, ScalarType type)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return tensor.dtype == type ? tensor : tensor.to(type);
    }

    /// <summary>Sets whether the parameters of a module and of its children want gradients.</summary>
    /// <param name="module">The module.</param>
    /// <param name="wanted">Whether gradients are wanted.</param>
    /// <returns>The module.</returns>
    public static T SetRequiresGrad<T>(this T module, bool wanted) where T : nn.Module
    {
        ArgumentNullException.ThrowIfNull(module);
        foreach (var parameter in ModuleTree.Parameters(module)) parameter.requires_grad = wanted;
        return module;
    }

    /// <summary>Moves parameters and buffers of a module and of its children to another device; whoever holds them sees them
    /// there.</summary>
    /// <param name="module">The module.</param>
    /// <param name="device">Where to.</param>
    /// <returns>The module.</returns>
    public static T MoveTo<T>(this T module, Device device) where T : nn.Module
    {
        ArgumentNullException.ThrowIfNull(module);
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        foreach (var tensor in ModuleMemory.Held(module)) tensor.SetData(tensor.to(device));
        foreach (var layer in ModuleMemory.Quantized(module)) layer.StandIn(device);
        return module;
    }

    /// <summary>Puts another tensor's memory, type and device under the same tensor object, so that whoever holds it sees the new
    /// values.</summary>
    /// <param name="target">A parameter or buffer; its gradient is dropped, as it may not fit any more.</param>
    /// <param name="data">The new values, of the same shape.</param>
    /// <exception cref="TorchException">The shapes differ, or one of the tensors is on <c>META</c> and the other is not.</exception>
    public static void SetData(this Tensor target, Tensor data)
    {
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(data);
        if (!target.shape.SequenceEqual(data.shape)) throw new TorchException("set_data", "the shapes differ", target, data);
        target.grad = null;
        Exchanging.Do(target, data);
    }

    private static readonly Operator Exchanging = new("aten::set_data");
}

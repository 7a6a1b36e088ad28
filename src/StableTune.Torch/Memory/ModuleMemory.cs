namespace StableTune.Torch;

/// <summary>What a module holds in memory, and how its frozen weights are held.</summary>
public static class ModuleMemory
{
    /// <summary>Memory of a module and its children, bytes: parameters, buffers, and codes of weights that are held in fewer bits.
    /// Mapped weights count as if they were read.</summary>
    /// <param name="module">The module.</param>
    public static long Bytes(nn.Module module)
    {
        ArgumentNullException.ThrowIfNull(module);
        return Held(module).Sum(Bytes);
    }

    /// <summary>Holds the frozen weights of all linear layers and convolutions of a module as codes from now on.</summary>
    /// <param name="module">The module.</param>
    /// <param name="quantization">How.</param>
    /// <returns>The module.</returns>
    /// <exception cref="InvalidOperationException">A weight wants a gradient, or is held as codes already; nothing was changed.</exception>
    public static T Quantize<T>(this T module, WeightQuantization quantization) where T : nn.Module
    {
        ArgumentNullException.ThrowIfNull(module);
        ArgumentNullException.ThrowIfNull(quantization);
        var layers = Layers(module).ToList();
        if (layers.Find(entry => entry.Layer.weight.requires_grad || entry.Layer.Quantized is not null) is { Layer: not null } odd)
            throw new InvalidOperationException(odd.Layer.Quantized is { } held
                ? $"'{odd.Name}' is held in {held.Quantization.Name} already: call Dequantize() first."
                : $"'{odd.Name}' is trained: only frozen weights can be held in {quantization.Name}.");
        foreach (var (_, layer) in layers) layer.Quantize(quantization);
        return module;
    }

    /// <summary>Holds all weights of a module as numbers again: those that the codes stand for, in the type they had.</summary>
    /// <param name="module">The module.</param>
    /// <returns>The module.</returns>
    public static T Dequantize<T>(this T module) where T : nn.Module
    {
        ArgumentNullException.ThrowIfNull(module);
        foreach (var layer in Quantized(module).ToList()) layer.Dequantize();
        return module;
    }

    /// <summary>The layers of a module whose weights are held as codes.</summary>
    internal static IEnumerable<ProductLayer> Quantized(nn.Module module) =>
        ModuleTree.Modules(module).OfType<ProductLayer>().Where(layer => layer.Quantized is not null);

    /// <summary>All tensors of a module and its children that have memory of their own.</summary>
    internal static IEnumerable<Tensor> Held(nn.Module module)
    {
        var quantized = Quantized(module).ToList();
        var standIns = quantized.Select(layer => layer.weight).ToHashSet<Tensor>(ReferenceEqualityComparer.Instance);
        return [.. ModuleTree.Parameters(module).Concat(ModuleTree.Buffers(module)).Where(tensor => !standIns.Contains(tensor)),
            .. quantized.SelectMany(layer => layer.Quantized!.Tensors)];
    }

    private static long Bytes(Tensor tensor) => tensor.numel() * tensor.element_size();

    private static IEnumerable<(string Name, ProductLayer Layer)> Layers(nn.Module module) =>
        from entry in module.named_modules().Prepend(("", module))
        where entry.Item2 is ProductLayer
        select (entry.Item1, (ProductLayer)entry.Item2);
}

namespace StableTune.Torch;

/// <summary>The tensors of a module under their names in files.</summary>
public static class ModuleTensors
{
    /// <summary>
    /// Parameters and persistent buffers of a module and its children, as <c>state_dict()</c> has them, in one walk: TorchSharp's own
    /// walks the tree below each module anew, which takes time and memory that grow with the depth of the tree.
    /// </summary>
    /// <param name="module">The module.</param>
    /// <returns>Dotted names and the module's own tensors, each module's before its children's.</returns>
    /// <exception cref="InvalidOperationException">A weight is held as codes, so that there is no tensor of it to save or to
    /// load into.</exception>
    public static Dictionary<string, Tensor> Named(nn.Module module)
    {
        ArgumentNullException.ThrowIfNull(module);
        var found = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        Collect(module, "", found, (name, layer) => throw new InvalidOperationException(
            $"The weight '{name}' is held in {layer.Quantized!.Quantization.Name}: it can be neither saved nor loaded so. Call "
            + "Dequantize() of the module first; rounding to codes stays."));
        return found;
    }

    /// <summary>The same for reading alone: weights that are held as codes are made again.</summary>
    /// <param name="module">The module.</param>
    /// <returns>Dotted names; the module's own tensors, and those that were made of codes, in the open dispose scope.</returns>
    public static Dictionary<string, Tensor> Values(nn.Module module)
    {
        ArgumentNullException.ThrowIfNull(module);
        var found = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        Collect(module, "", found, (_, layer) => layer.Quantized!.Dequantize(layer.weight.dtype));
        return found;
    }

    private static void Collect(
        nn.Module module, string prefix, Dictionary<string, Tensor> found, Func<string, ProductLayer, Tensor> ofCodes)
    {
        if (module is ProductLayer { Quantized: not null } layer) found.TryAdd($"{prefix}weight", ofCodes($"{prefix}weight", layer));
        foreach (var (name, parameter) in module.named_parameters(recurse: false)) found.TryAdd(prefix + name, parameter);
        foreach (var (name, buffer) in module.named_buffers(recurse: false, include_nonpersistent: false))
            found.TryAdd(prefix + name, buffer);
        foreach (var (name, child) in module.named_children()) Collect(child, $"{prefix}{name}.", found, ofCodes);
    }
}

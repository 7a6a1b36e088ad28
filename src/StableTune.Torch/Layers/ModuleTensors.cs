namespace StableTune.Torch;

/// <summary>The tensors of a module under their names in files.</summary>
public static class ModuleTensors
{
    /// <summary>
    /// Parameters and persistent buffers of a module and its children, as <c>state_dict()</c> has them, in one walk: TorchSharp's own
    /// walks the
    /// tree below each module anew, which takes time and memory that grow with the depth of the tree.
    /// </summary>
    /// <param name="module">The module.</param>
    /// <returns>Dotted names and the module's own tensors, each module's before its children's.</returns>
    public static Dictionary<string, Tensor> Named(nn.Module module)
    {
        ArgumentNullException.ThrowIfNull(module);
        var found = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        Collect(module, "", found);
        return found;
    }

    private static void Collect(nn.Module module, string prefix, Dictionary<string, Tensor> found)
    {
        foreach (var (name, parameter) in module.named_parameters(recurse: false)) found.TryAdd(prefix + name, parameter);
        foreach (var (name, buffer) in module.named_buffers(recurse: false, include_nonpersistent: false))
            found.TryAdd(prefix + name, buffer);
        foreach (var (name, child) in module.named_children()) Collect(child, $"{prefix}{name}.", found);
    }
}

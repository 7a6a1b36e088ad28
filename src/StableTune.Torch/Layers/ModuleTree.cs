namespace StableTune.Torch;

/// <summary>A module and all below it in one walk: TorchSharp's own walks the tree below each module anew, and remembers what it has
/// met at each.</summary>
internal static class ModuleTree
{
    /// <summary>The module and all below it, each once, each before its children.</summary>
    internal static IReadOnlyList<nn.Module> Modules(nn.Module root)
    {
        var found = new List<nn.Module>();
        Collect(root, found, new HashSet<nn.Module>(ReferenceEqualityComparer.Instance));
        return found;
    }

    /// <summary>The parameters of a module and of all below it, each once, in the order of <c>parameters()</c>.</summary>
    internal static IReadOnlyList<Parameter> Parameters(nn.Module root)
    {
        var met = new HashSet<Parameter>(ReferenceEqualityComparer.Instance);
        return [.. Modules(root).SelectMany(module => module.named_parameters(recurse: false)).Select(entry => entry.parameter)
            .Where(met.Add)];
    }

    /// <summary>The same of buffers that files hold; of others TorchSharp does not tell.</summary>
    internal static IReadOnlyList<Tensor> Buffers(nn.Module root)
    {
        var met = new HashSet<Tensor>(ReferenceEqualityComparer.Instance);
        return [.. Modules(root).SelectMany(module => module.named_buffers(recurse: false)).Select(entry => entry.buffer).Where(met.Add)];
    }

    private static void Collect(nn.Module module, List<nn.Module> found, HashSet<nn.Module> met)
    {
        if (!met.Add(module)) return;
        found.Add(module);
        foreach (var (_, child) in module.named_children()) Collect(child, found, met);
    }
}

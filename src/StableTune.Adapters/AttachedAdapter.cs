namespace StableTune.Adapters;

/// <summary>An adapter at its place in a model.</summary>
/// <param name="Name">What files call it: <c>lora_unet_down_blocks_0_attentions_0_proj_in</c>.</param>
/// <param name="Path">The layer's dotted path below its part of the model: <c>down_blocks.0.attentions.0.proj_in</c>.</param>
/// <param name="Part">UNet or text encoder.</param>
/// <param name="Layer">The frozen layer, a <c>Linear</c> or <c>Conv2d</c>. Not owned.</param>
/// <param name="Adapter">The adapter.</param>
public sealed record AttachedAdapter(string Name, string Path, AdapterParts Part, nn.Module Layer, NetworkAdapter Adapter)
{
    /// <summary>Another name that files may have for it, understood when they are read: with the path of the module where <see cref="Name"/> has
    /// that of single-file checkpoints (SDXL). Null for none.</summary>
    public string? OtherName { get; init; }
}

/// <summary>The modules of a model that adapters can be attached to.</summary>
/// <param name="UNet">The UNet, or null.</param>
/// <param name="TextEncoders">The text encoders: one for SD 1 and 2, two for SDXL; may be empty.</param>
public sealed record AdapterHosts(nn.Module? UNet, IReadOnlyList<nn.Module> TextEncoders)
{
    /// <summary>A UNet and one text encoder.</summary>
    public AdapterHosts(nn.Module? unet, nn.Module? textEncoder = null) : this(unet, textEncoder is null ? [] : [textEncoder]) { }

    /// <summary>
    /// The dotted path that files have for a layer of the UNet, by its path there: <c>input_blocks.4.1.proj_in</c> for
    /// <c>down_blocks.1.attentions.0.proj_in</c>. SDXL's adapters are named, and created in the order, of single-file checkpoints. Null for the
    /// module's own paths.
    /// </summary>
    public Func<string, string?>? UNetPaths { get; init; }

    /// <summary>
    /// The modules with the beginnings of their adapters' names, in the order in which the reference creates adapters: text encoders
    /// (<c>te</c>, or <c>te1</c> and <c>te2</c> where there are two), then the UNet.
    /// </summary>
    internal IEnumerable<AdapterHost> Named()
    {
        for (var i = 0; i < TextEncoders.Count; i++)
            yield return new AdapterHost(AdapterParts.TextEncoder, TextEncoders.Count == 1 ? "te" : $"te{i + 1}", TextEncoders[i], null) { TextEncoder = i + 1 };
        if (UNet is not null) yield return new AdapterHost(AdapterParts.UNet, "unet", UNet, UNetPaths);
    }
}

/// <summary>One module of a model, with what adapters' names in files are made of.</summary>
/// <param name="Part">UNet or text encoder.</param>
/// <param name="Prefix">What stands before the path: <c>unet</c>, <c>te</c>, <c>te1</c>, <c>te2</c>.</param>
/// <param name="Root">The module.</param>
/// <param name="Paths">See <see cref="AdapterHosts.UNetPaths"/>.</param>
internal sealed record AdapterHost(AdapterParts Part, string Prefix, nn.Module Root, Func<string, string?>? Paths)
{
    /// <summary>Which text encoder it is, counted from 1; 0 for the UNet.</summary>
    public int TextEncoder { get; init; }

    /// <summary>All linear layers and convolutions below modules of these classes (any, when null) in the reference's order.</summary>
    public IEnumerable<FoundLayer> Layers(IReadOnlyCollection<string>? classes)
    {
        var found = ModuleWalk.Layers(Root, classes);
        return Paths is null ? found : found.Select(layer => layer with { FilePath = Paths(layer.Path) ?? layer.Path }).OrderBy(layer => layer.FilePath, ModuleWalk.ByPath);
    }

    /// <summary>The name of a layer's adapter.</summary>
    /// <param name="kind">What the kind's names begin with.</param>
    /// <param name="layer">The layer.</param>
    public string Name(string kind, FoundLayer layer) => AdapterNames.Of(kind, Prefix, layer.FilePath);

    /// <summary>See <see cref="AttachedAdapter.OtherName"/>.</summary>
    public string? OtherName(string kind, FoundLayer layer) => layer.FilePath == layer.Path ? null : AdapterNames.Of(kind, Prefix, layer.Path);
}

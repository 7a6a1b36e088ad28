namespace StableTune.Adapters;

/// <summary>The modules of a model that adapters can be attached to. A model of another kind is given as the UNet.</summary>
/// <param name="UNet">The UNet, or null.</param>
/// <param name="TextEncoders">The text encoders: one for SD 1 and 2, two for SDXL; may be empty.</param>
public sealed record AdapterHosts(nn.Module? UNet, IReadOnlyList<nn.Module> TextEncoders)
{
    /// <summary>A UNet and one text encoder.</summary>
    public AdapterHosts(nn.Module? unet, nn.Module? textEncoder = null) : this(unet, textEncoder is null ? [] : [textEncoder]) { }

    /// <summary>
    /// The dotted path that files have for a layer of the UNet, by its path there: <c>input_blocks.4.1.proj_in</c> for
    /// <c>down_blocks.1.attentions.0.proj_in</c>. SDXL's adapters are named, and created in the order, of single-file checkpoints. Null for
    /// the module's own paths.
    /// </summary>
    public Func<string, string?>? UNetPaths { get; init; }

    /// <summary>
    /// The modules with the beginnings of their adapters' names, in the order in which the reference creates adapters: text encoders
    /// (<c>te</c>, or <c>te1</c> and <c>te2</c> where there are two), then the UNet.
    /// </summary>
    /// <exception cref="ArgumentException">There are more than two text encoders.</exception>
    internal IEnumerable<AdapterHost> Named()
    {
        if (TextEncoders.Count > 2)
            throw new ArgumentException($"AdapterHosts.TextEncoders has {TextEncoders.Count} modules: give one, or two as SDXL has.");
        for (var i = 0; i < TextEncoders.Count; i++)
            yield return new AdapterHost(i == 0 ? AdapterParts.TextEncoder1 : AdapterParts.TextEncoder2,
                TextEncoders.Count == 1 ? "te" : $"te{i + 1}", TextEncoders[i], null);
        if (UNet is not null) yield return new AdapterHost(AdapterParts.UNet, "unet", UNet, UNetPaths);
    }
}

/// <summary>One module of a model, with what adapters' names in files are made of.</summary>
/// <param name="Part">The part of the model.</param>
/// <param name="Prefix">What stands before the path: <c>unet</c>, <c>te</c>, <c>te1</c>, <c>te2</c>.</param>
/// <param name="Root">The module.</param>
/// <param name="Paths">See <see cref="AdapterHosts.UNetPaths"/>.</param>
internal sealed record AdapterHost(AdapterParts Part, string Prefix, nn.Module Root, Func<string, string?>? Paths)
{
    /// <summary>All layers that adapters can change, in the reference's order.</summary>
    /// <param name="kind">What the names of the adapters' kind begin with.</param>
    public IEnumerable<AdaptedLayer> Layers(string kind)
    {
        WalkedLayer[] found = [.. ModuleWalk.Layers(Root)];
        var checkpoint = Part == AdapterParts.UNet ? new CheckpointPaths(found.Select(layer => layer.Path)) : null;
        return Paths is null
            ? found.Select(layer => Named(kind, layer.Path, layer, checkpoint))
            : found.Select(layer => (File: Paths(layer.Path) ?? layer.Path, Layer: layer))
                .OrderBy(entry => entry.File, ModuleWalk.ByPath)
                .Select(entry => Named(kind, entry.File, entry.Layer, checkpoint));
    }

    private AdaptedLayer Named(string kind, string filePath, WalkedLayer layer, CheckpointPaths? checkpoint) =>
        new(Name(kind, filePath), layer.Path, Part, layer.Module)
        {
            Kind = kind,
            FilePath = filePath,
            OtherPaths = [.. OtherPaths(layer.Path, checkpoint)],
            OtherName = filePath == layer.Path ? null : Name(kind, layer.Path),
            Block = Part == AdapterParts.UNet ? UNetBlocks.IndexOf(filePath) : null,
            Classes = layer.Classes,
        };

    /// <summary>Single-file checkpoints' path; in text encoders what transformers leaves out today, and once did not.</summary>
    private static IEnumerable<string> OtherPaths(string path, CheckpointPaths? checkpoint)
    {
        const string text = "text_model.", transformer = "transformer.";
        if (checkpoint is null) yield return path.StartsWith(text, StringComparison.Ordinal) ? path[text.Length..] : text + path;
        else if (checkpoint.Of(path) is { } other) yield return other;
        // Taken for the part's name where no part is told.
        else if (path.StartsWith(transformer, StringComparison.Ordinal)) yield return path[transformer.Length..];
    }

    /// <summary>
    /// <c>lora_unet_down_blocks_0_attentions_0_proj_in</c>: the kind's prefix, the part's, and the path with underscores.
    /// </summary>
    private string Name(string kind, string path) => $"{kind}_{Prefix}_{path.Replace('.', '_')}";
}

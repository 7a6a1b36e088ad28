namespace StableTune.Adapters;

/// <summary>An adapter at its place in a model.</summary>
/// <param name="Name">What files call it: <c>lora_unet_down_blocks_0_attentions_0_proj_in</c>.</param>
/// <param name="Path">The layer's dotted path below its part of the model: <c>down_blocks.0.attentions.0.proj_in</c>.</param>
/// <param name="Part">UNet or text encoder.</param>
/// <param name="Layer">The frozen layer, a <c>Linear</c> or <c>Conv2d</c>. Not owned.</param>
/// <param name="Adapter">The adapter.</param>
public sealed record AttachedAdapter(string Name, string Path, AdapterParts Part, nn.Module Layer, NetworkAdapter Adapter);

/// <summary>The modules of a model that adapters can be attached to.</summary>
/// <param name="UNet">The UNet, or null.</param>
/// <param name="TextEncoders">The text encoders: one for SD 1 and 2, two for SDXL; may be empty.</param>
public sealed record AdapterHosts(nn.Module? UNet, IReadOnlyList<nn.Module> TextEncoders)
{
    /// <summary>A UNet and one text encoder.</summary>
    public AdapterHosts(nn.Module? unet, nn.Module? textEncoder = null) : this(unet, textEncoder is null ? [] : [textEncoder]) { }

    /// <summary>
    /// The modules with the beginnings of their adapters' names, in the order in which the reference creates adapters: text encoders
    /// (<c>te</c>, or <c>te1</c> and <c>te2</c> where there are two), then the UNet.
    /// </summary>
    internal IEnumerable<(AdapterParts Part, string Prefix, nn.Module Root)> Named()
    {
        for (var i = 0; i < TextEncoders.Count; i++)
            yield return (AdapterParts.TextEncoder, TextEncoders.Count == 1 ? "te" : $"te{i + 1}", TextEncoders[i]);
        if (UNet is not null) yield return (AdapterParts.UNet, "unet", UNet);
    }
}

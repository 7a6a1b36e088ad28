namespace StableTune.Adapters;

/// <summary>The naming schemes that adapter files are searched for. Immutable; a host adds its own.</summary>
public sealed class AdapterNamings
{
    private AdapterNamings(IReadOnlyList<AdapterNaming> all) => All = all;

    /// <summary>
    /// <c>lora_unet_mid_block_attentions_0_proj_in.lora_down.weight</c>: the names of sd-scripts and LyCORIS, which most programs write and
    /// read. Files are saved so by default.
    /// </summary>
    public static AdapterNaming SdScripts { get; } = new SdScriptsNaming();

    /// <summary>
    /// <c>unet.mid_block.attentions.0.proj_in.lora_A.weight</c>: the names of PEFT, which diffusers writes. Only LoRA and DoRA can be
    /// written so.
    /// </summary>
    public static AdapterNaming Peft { get; } = new PeftNaming();

    /// <summary>The schemes of this library; one line for each. The special stand before the general.</summary>
    public static AdapterNamings Default { get; } = new(
    [
        SdScripts,
        Peft,
        new DiffusersProcessorNaming(),
        new DiffusersNaming(),
        new ComfyUINaming(),
        new DottedNaming(),
    ]);

    /// <summary>The schemes; the first that can read a tensor's name is taken for it, so a file may mix them.</summary>
    public IReadOnlyList<AdapterNaming> All { get; }

    /// <summary>These schemes and another, which is asked before them.</summary>
    /// <param name="naming">The scheme.</param>
    public AdapterNamings With(AdapterNaming naming)
    {
        ArgumentNullException.ThrowIfNull(naming);
        return new([naming, .. All]);
    }

    /// <summary>What a tensor's name means, and by which scheme; null where none can read it.</summary>
    internal (AdapterNaming Naming, AdapterTensorName Name)? Read(string name, IReadOnlySet<string> tensors)
    {
        foreach (var naming in All)
            if (naming.Read(name, tensors) is { } read) return (naming, read);
        return null;
    }
}

namespace StableTune.Adapters;

/// <summary>The kinds of adapters that files are searched for. Immutable; a host adds its own.</summary>
public sealed class AdapterFormats
{
    private AdapterFormats(IReadOnlyList<AdapterFormat> all) => All = all;

    /// <summary>The kinds of this library; one line for each.</summary>
    public static AdapterFormats Default { get; } = new(
    [
        new LoRAFormat(),
        new LoHaFormat(),
    ]);

    /// <summary>The kinds; the first that recognizes a module's tensors is taken.</summary>
    public IReadOnlyList<AdapterFormat> All { get; }

    /// <summary>These kinds and another, which is asked before them.</summary>
    /// <param name="format">The kind.</param>
    public AdapterFormats With(AdapterFormat format)
    {
        ArgumentNullException.ThrowIfNull(format);
        return new([format, .. All]);
    }

    /// <summary>The kind of a module's tensors; null when none recognizes them.</summary>
    /// <param name="prefix">What the module's name begins with; null where its names do not say the kind.</param>
    /// <param name="names">The names of its tensors.</param>
    internal AdapterFormat? For(string? prefix, IReadOnlyCollection<string> names) =>
        All.FirstOrDefault(format => (prefix is null || prefix == format.KeyPrefix) && format.Recognizes(names));

    /// <summary>Kinds that can be named but not loaded, for better messages: a part of a name that only they have.</summary>
    internal static IReadOnlyList<(string Sign, string Name)> Others { get; } =
    [
        (".lokr_w", "a LoKr file (LyCORIS)"), (".oft_blocks", "an OFT file"), (".a1.weight", "a GLoRA file (LyCORIS)"),
        (".lora_mid.weight", "a LoCon file with Tucker decomposition (LyCORIS)"), (".dora_scale", "a DoRA file"),
        ("lllite_", "a ControlNet-LLLite file"),
        ("emb_params", "a textual inversion embedding"), ("model.diffusion_model.", "a whole Stable Diffusion model"),
        ("conv_in.weight", "the weights of a UNet"),
        ("text_model.encoder.", "the weights of a text encoder"), (".diff", "a file of full differences (LyCORIS)"),
    ];
}

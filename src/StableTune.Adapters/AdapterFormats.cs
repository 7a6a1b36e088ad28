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
        new LoKrFormat(),
        new GLoRAFormat(),
        new IA3Format(),
        new FullDifferenceFormat(),
        new NormFormat(),
        new OftFormat(),
        new LycorisOftFormat(),
        new EHFormat(),
        new LLLiteFormat(),
    ]);

    /// <summary>The kinds; the first that recognizes a module's tensors is taken.</summary>
    public IReadOnlyList<AdapterFormat> All { get; }

    /// <summary>A copy of this catalogue with another kind, which is asked before the others.</summary>
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
        (".bm.weight", "a GLoRA file with Tucker decomposition (LyCORIS)"),
        ("emb_params", "a textual inversion embedding"), ("model.diffusion_model.", "a whole Stable Diffusion model"),
        ("conv_in.weight", "the weights of a UNet"),
        ("text_model.encoder.", "the weights of a text encoder"),
    ];
}

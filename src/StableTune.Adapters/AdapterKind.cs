using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Adapters;

/// <summary>How a kind of adapter is known by the names of its tensors in a file, and which options make it.</summary>
/// <param name="Name">What people call it.</param>
/// <param name="KeyPrefix">What its names begin with.</param>
/// <param name="Parts">The names of an adapter's tensors, by which the kind is told. A layer has some of them.</param>
internal abstract record AdapterKind(string Name, string KeyPrefix, IReadOnlyList<string> Parts)
{
    /// <summary>The kinds that can be loaded; one line for each.</summary>
    public static IReadOnlyList<AdapterKind> Known { get; } = [new LoRAKind()];

    /// <summary>Kinds that can be named, for better messages: a part of a name that only they have.</summary>
    public static IReadOnlyList<(string Sign, string Name)> Others { get; } =
    [
        (".hada_w1_a", "a LoHa file (LyCORIS)"), (".lokr_w", "a LoKr file (LyCORIS)"), (".oft_blocks", "an OFT file"),
        (".a1.weight", "a GLoRA file (LyCORIS)"),
        (".lora_mid.weight", "a LoCon file with Tucker decomposition (LyCORIS)"), (".dora_scale", "a DoRA file"),
        (".lora_A.", "a LoRA file with names as diffusers and PEFT write them"),
        ("_lora.down.weight", "a LoRA file with names as early diffusers wrote them"),
        (".lora_linear_layer.", "a LoRA file with names as early diffusers wrote them"), ("lllite_", "a ControlNet-LLLite file"),
        ("emb_params", "a textual inversion embedding"), ("model.diffusion_model.", "a whole Stable Diffusion model"),
        ("conv_in.weight", "the weights of a UNet"),
        ("text_model.encoder.", "the weights of a text encoder"), (".diff", "a file of full differences (LyCORIS)"),
    ];

    /// <summary>The options of one adapter of a file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="name">The adapter's name.</param>
    /// <param name="tensors">Its tensors by their name within the adapter.</param>
    /// <exception cref="InvalidFileException">Tensors are missing or have impossible shapes.</exception>
    public abstract AdapterOptions OptionsFor(WeightFile file, string name, IReadOnlyDictionary<string, TensorInfo> tensors);
}

/// <summary>LoRA in files: <c>lora_down.weight</c>, <c>lora_up.weight</c>, <c>alpha</c>.</summary>
internal sealed record LoRAKind() : AdapterKind("LoRA", "lora", ["lora_down.weight", "lora_up.weight", "alpha"])
{
    public override AdapterOptions OptionsFor(WeightFile file, string name, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        if (!tensors.TryGetValue("lora_down.weight", out var down) || !tensors.TryGetValue("lora_up.weight", out var up))
            throw new InvalidFileException(file.Path, $"adapter '{name}' has only {string.Join(", ", tensors.Keys)}.",
                "A LoRA needs lora_down.weight and lora_up.weight: the file is incomplete, save it again.");
        if (down.Shape.Count is not (2 or 4) || up.Shape.Count != down.Shape.Count || up.Shape[1] != down.Shape[0] || down.Shape[0] < 1)
            throw new InvalidFileException(file.Path,
                $"the factors of adapter '{name}' do not fit each other: lora_down.weight is {down}, lora_up.weight is {up}.",
                "The first size of down and the second of up must both be the rank: save the file again.");
        var rank = (int)down.Shape[0];
        return new LoRAOptions { Rank = rank, Alpha = Alpha(file, name, tensors) ?? rank };
    }

    private static float? Alpha(WeightFile file, string name, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        if (!tensors.TryGetValue("alpha", out var info)) return null;
        if (info.ElementCount != 1)
            throw new InvalidFileException(file.Path, $"'{name}.alpha' is {info} instead of one number.", "Save the file again.");
        using var alpha = file.Load(info.Name, ScalarType.Float32);
        var value = alpha.item<float>();
        return float.IsFinite(value) && value >= 0 ? value
            : throw new InvalidFileException(file.Path, $"'{name}.alpha' is {value}.", "It must be at least 0: save the file again.");
    }
}

namespace StableTune.Adapters;

/// <summary>Paths with dots: the part of the model that stands before them, and the tensor that stands behind.</summary>
internal static class DottedPaths
{
    /// <summary>What PEFT's own files have before each path, and diffusers' first ones behind the part.</summary>
    private const string Wrapper = "base_model.model.";

    /// <summary>The parts of a model, as diffusers, single-file checkpoints, ComfyUI and others call them.</summary>
    private static readonly (string Prefix, AdapterParts Part)[] Parts =
    [
        ("unet.", AdapterParts.UNet), ("transformer.", AdapterParts.UNet),
        ("model.diffusion_model.", AdapterParts.UNet), ("diffusion_model.", AdapterParts.UNet),
        ("text_encoder.", AdapterParts.TextEncoder1), ("text_encoder_2.", AdapterParts.TextEncoder2),
        ("text_encoders.clip_l.transformer.", AdapterParts.TextEncoder1), ("text_encoders.clip_h.transformer.", AdapterParts.TextEncoder1),
        ("text_encoders.clip_g.transformer.", AdapterParts.TextEncoder2),
        ("clip_l.", AdapterParts.TextEncoder1), ("clip_g.", AdapterParts.TextEncoder2),
        ("cond_stage_model.transformer.", AdapterParts.TextEncoder1), ("conditioner.embedders.0.transformer.", AdapterParts.TextEncoder1),
    ];

    /// <summary>The names that single-file checkpoints have at the top of a UNet.</summary>
    private static readonly string[] CheckpointBlocks =
        ["input_blocks.", "middle_block.", "output_blocks.", "time_embed.", "label_emb.", "out."];

    /// <summary>Programs that leave out <c>.weight</c>.</summary>
    private static readonly Dictionary<string, string> Short = new(StringComparer.Ordinal)
    {
        ["lora_up"] = "lora_up.weight", ["lora_down"] = "lora_down.weight", ["lora_mid"] = "lora_mid.weight",
    };

    /// <summary>Names that any module has: they tell no adapter.</summary>
    private static readonly string[] Common = ["weight", "bias"];

    /// <summary>The tensor of a path, with the part taken off it.</summary>
    public static AdapterTensorName Name(string path, string tensor)
    {
        path = Without(path, Wrapper);
        var (prefix, part) = Array.Find(Parts, row => path.StartsWith(row.Prefix, StringComparison.Ordinal));
        return prefix is null ? new AdapterTensorName(AdapterParts.All, path, tensor)
            : new AdapterTensorName(part, Without(path[prefix.Length..], Wrapper), tensor);
    }

    /// <summary>A name that ends in a tensor of a kind that is known, cut before it; null for all others.</summary>
    public static (string Path, string Tensor)? Split(string name, IReadOnlySet<string> tensors)
    {
        // The longest end counts, so dots are tried from the left.
        for (var dot = name.IndexOf('.', StringComparison.Ordinal); dot > 0; dot = name.IndexOf('.', dot + 1))
        {
            var end = Full(name[(dot + 1)..]);
            if (tensors.Contains(end) && !Common.Contains(end)) return (name[..dot], end);
        }

        return null;
    }

    /// <summary>The tensor's name in full.</summary>
    public static string Full(string tensor) => Short.GetValueOrDefault(tensor, tensor);

    /// <summary>Whether a path lies in a UNet under the names of single-file checkpoints.</summary>
    public static bool IsOfCheckpoint(string path) =>
        Array.Exists(CheckpointBlocks, block => path.StartsWith(block, StringComparison.Ordinal));

    private static string Without(string path, string prefix) =>
        path.StartsWith(prefix, StringComparison.Ordinal) ? path[prefix.Length..] : path;
}

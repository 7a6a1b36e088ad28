using System.Text.RegularExpressions;

namespace StableTune.Checkpoints;

/// <summary>Tells by the names of tensors what a file holds that is no checkpoint.</summary>
internal static partial class ContentKinds
{
    // The first that fits counts: a ControlNet also has a UNet's names.
    private static readonly (ContentKind Kind, string Words, string Part, Regex Name)[] Rows =
    [
        (ContentKind.Adapter, "an adapter", "adapter", Adapter()),
        (ContentKind.ControlNet, "a ControlNet", "controlnet", ControlNet()),
        (ContentKind.Embedding, "a textual inversion embedding", "embedding", Embedding()),
        (ContentKind.UNet, "a UNet alone, under diffusers' names", ModelPart.UNet, UNet()),
        (ContentKind.Vae, "a VAE alone", ModelPart.Vae, Vae()),
        (ContentKind.TextEncoder, "a CLIP text encoder alone", ModelPart.TextEncoder, TextEncoder()),
    ];

    /// <summary>What the tensors' names tell.</summary>
    public static ContentKind Of(WeightContents contents)
    {
        if (contents.Metadata.ContainsKey("ss_network_module")) return ContentKind.Adapter;
        foreach (var (kind, _, _, name) in Rows)
            if (contents.Tensors.Any(tensor => name.IsMatch(tensor.Name))) return kind;
        if (ControlNetFacts.IsPromptFree(contents)) return ContentKind.PromptFree;
        // In diffusers' form of an embedding the word is the only name.
        return contents.Tensors is [{ Shape.Count: 1 or 2 } only]
            && !only.Name.Contains('.', StringComparison.Ordinal) ? ContentKind.Embedding : ContentKind.Unknown;
    }

    /// <summary>What a report calls the kind.</summary>
    public static string Words(ContentKind kind) => Array.Find(Rows, row => row.Kind == kind).Words;

    /// <summary>The name of its only part.</summary>
    public static string PartName(ContentKind kind) => Array.Find(Rows, row => row.Kind == kind).Part;

    [GeneratedRegex(
        @"^(lora|lycoris|oft|boft|lllite)_|\.(lora_up|lora_down|lora_mid|lora_A|lora_B)\b|_lora\.(up|down)\."
            + @"|\.(lora_linear_layer|lora)\.(up|down)\.|\.(hada_w[12]_[ab]|lokr_w[12](_[ab])?|oft_blocks|oft_diag|dora_scale)$")]
    private static partial Regex Adapter();

    [GeneratedRegex(@"^(control_model\.|controlnet_(cond_embedding|down_blocks|mid_block)\.|input_hint_block\.|zero_convs\.)")]
    private static partial Regex ControlNet();

    [GeneratedRegex(@"^(emb_params|clip_[lg]|string_to_param\b.*|IN\d\d|MID|OUT\d\d)$")]
    private static partial Regex Embedding();

    [GeneratedRegex(@"^(unet\.)?(down_blocks\.\d+\.(resnets|attentions)\.|time_embedding\.linear_1\.)")]
    private static partial Regex UNet();

    [GeneratedRegex(
        @"^(first_stage_model\.|vae\.)?(encoder\.(down|down_blocks|mid|mid_block)\.|decoder\.(up|up_blocks|mid|mid_block)\."
            + @"|post_quant_conv\.)")]
    private static partial Regex Vae();

    [GeneratedRegex(
        @"^(text_encoder\.)?(text_model\.)(embeddings|encoder)\.|^(cond_stage_model|conditioner)\."
            + @"|^(model\.)?transformer\.resblocks\.\d+\.ln_1\.|^embeddings\.token_embedding\.")]
    private static partial Regex TextEncoder();
}

using System.Text.RegularExpressions;
using StableTune.Formats;

namespace StableTune.Checkpoints;

/// <summary>Recognises files that are no Stable Diffusion model, so that the message can say what they are.</summary>
internal static partial class ForeignFile
{
    /// <summary>A kind of file.</summary>
    /// <param name="Is">What it is: "it is ...".</param>
    /// <param name="Remedy">What to do with it.</param>
    /// <param name="Name">What a tensor's name of such a file looks like.</param>
    private sealed record Kind(string Is, string Remedy, Regex Name);

    private const string VaeAlone = "a VAE alone";
    private const string NotSupported = "Use Stable Diffusion 1.x, 2.x or XL.";
    private const string NoModel = "Name the file of a whole model.";

    // The first that fits counts, so the special stand before the general.
    private static readonly Kind[] Kinds =
    [
        new("a LoRA or another adapter", "Name the base model here, and give the adapter to the methods for adapters.", Adapter()),
        new("a ControlNet-LLLite adapter", NoModel, Lllite()),
        new("a ControlNet", NoModel, ControlNet()),
        new("a textual inversion embedding", "Name the base model here, and give the embedding to the methods for embeddings.",
            Embedding()),
        new("an optimizer's state", NoModel, Optimizer()),
        new("a model of the Stable Diffusion 3 family", NotSupported, Sd3()),
        new("a model of the Flux family", NotSupported, Flux()),
        new("a Stable Cascade model", NotSupported, Cascade()),
        new("a PixArt, Hunyuan or similar diffusion transformer", NotSupported, DiffusionTransformer()),
        new("the UNet alone, in diffusers' names", "Name the model's folder, the one with model_index.json.", DiffusersUNet()),
        new("a checkpoint that has only the averages (model_ema) of its UNet's weights",
            "Take the file that holds the weights themselves.", Averages()),
        new(VaeAlone, "Name a whole model here, and give this file as the model's VAE.", Vae()),
        new("a text encoder alone", NoModel, TextEncoder()),
        new("a language model or another transformer", NotSupported, Transformer()),
        new("an upscaler", NoModel, Upscaler()),
    ];

    /// <summary>What the file is, to be thrown.</summary>
    /// <param name="file">A file without the UNet of a checkpoint.</param>
    public static InvalidFileException Describe(ITensorFile file)
    {
        if (file.Tensors.Count == 0)
            return new InvalidFileException(
            file.Path, "the file holds no tensors.", "Something went wrong when it was written: take it from its source again.");
        if (file.Metadata.ContainsKey("ss_network_module")) return Fault(file, Kinds[0], "its metadata has 'ss_network_module'");
        foreach (var kind in Kinds)
            if (file.Tensors.FirstOrDefault(tensor => kind.Name.IsMatch(tensor.Name)) is { } tensor)
                return Fault(file, kind, $"it holds '{tensor.Name}'");
        // An embedding in diffusers' form has its word as the only name.
        if (file.Tensors is [{ Shape.Count: 1 or 2 } only] && only.Name.IndexOf('.', StringComparison.Ordinal) < 0)
            return Fault(file, Kinds[3], $"'{only.Name}' is its only tensor");
        return new InvalidFileException(
            file.Path,
                $"it is no Stable Diffusion model: 'model.diffusion_model.input_blocks.0.0.weight' is missing among its "
                    + $"{file.Tensors.Count} tensors, which are {Examples(file)}.",
            "Name the file of a whole model under LDM names, or a folder in diffusers' layout.");
    }

    /// <summary>What a file without VAE is, to be thrown.</summary>
    public static InvalidFileException WithoutVae(ITensorFile file)
    {
        var what = file.Tensors.Count == 0 ? "the file holds no tensors"
            : Kinds.FirstOrDefault(kind => kind.Is != VaeAlone && file.Tensors.Any(tensor => kind.Name.IsMatch(tensor.Name))) is { } kind
                ? $"it is {kind.Is}"
            : $"its {file.Tensors.Count} tensors are {Examples(file)}";
        return new InvalidFileException(
            file.Path, $"the file holds no VAE: {what}.",
            "Name a file with a VAE under LDM or diffusers' names, or a whole checkpoint with one.");
    }

    /// <summary>Throws for models whose UNet has the place of Stable Diffusion's, but which are of another family.</summary>
    /// <exception cref="InvalidFileException">It is one.</exception>
    public static void ThrowIfOtherFamily(ITensorFile file)
    {
        if (!file.Tensors.Any(tensor => tensor.Name.StartsWith(KeyMap.SdxlText2Prefix, StringComparison.Ordinal))
            && file.Tensors.FirstOrDefault(tensor =>
                tensor.Name.StartsWith("conditioner.embedders.0.model.", StringComparison.Ordinal)) is { } refiner)
            throw new InvalidFileException(
                file.Path, $"it is the refiner of Stable Diffusion XL: it holds '{refiner.Name}'.",
                "Use the base model; a refiner cannot be trained.");
        foreach (var kind in Kinds.Where(kind => kind.Remedy == NotSupported))
            if (file.Tensors.FirstOrDefault(tensor =>
                tensor.Name.StartsWith(KeyMap.UNetPrefix, StringComparison.Ordinal) && kind.Name.IsMatch(tensor.Name)) is { } tensor)
                throw Fault(file, kind, $"it holds '{tensor.Name}'");
    }

    private static InvalidFileException Fault(ITensorFile file, Kind kind, string because) =>
        new(file.Path, $"it is {kind.Is}, not a Stable Diffusion model: {because}.", kind.Remedy);

    private static string Examples(ITensorFile file) =>
        string.Join(", ", file.Tensors.Take(3).Select(tensor => $"'{tensor.Name}'")) + (file.Tensors.Count > 3 ? " and so on" : "");

    [GeneratedRegex(
        @"^(lora|lycoris|oft|boft)_|\.(lora_up|lora_down|lora_mid|lora_A|lora_B)\b|_lora\.(up|down)\."
            + @"|\.(lora_linear_layer|lora)\.(up|down)\.|\.(hada_w[12]_[ab]|lokr_w[12](_[ab])?|oft_blocks|dora_scale)$")]
    private static partial Regex Adapter();

    [GeneratedRegex("^lllite_")]
    private static partial Regex Lllite();

    [GeneratedRegex(@"^(control_model\.|controlnet_|input_hint_block\.|zero_convs\.)|^difference$")]
    private static partial Regex ControlNet();

    [GeneratedRegex(@"^(emb_params|clip_[lg]|string_to_param\b.*|IN\d\d|MID|OUT\d\d)$")]
    private static partial Regex Embedding();

    [GeneratedRegex(@"(^|\.)(exp_avg|exp_avg_sq|momentum_buffer|max_exp_avg_sq)$|^(optimizer_states|param_groups|state\.\d+)\b")]
    private static partial Regex Optimizer();

    [GeneratedRegex(@"^(model\.diffusion_model\.)?(joint_blocks|context_embedder)\.")]
    private static partial Regex Sd3();

    [GeneratedRegex(@"^(model\.diffusion_model\.)?(double_blocks|single_blocks|single_transformer_blocks)\.")]
    private static partial Regex Flux();

    [GeneratedRegex(@"^(model\.diffusion_model\.)?(clip_txt_pooled_mapper|clip_mapper|effnet_mapper)\.")]
    private static partial Regex Cascade();

    [GeneratedRegex(@"^(model\.diffusion_model\.)?(blocks\.\d+\.(attn|cross_attn|self_attn|attn1)|adaln_single|transformer_blocks\.\d+)\b")]
    private static partial Regex DiffusionTransformer();

    [GeneratedRegex(@"^(unet\.)?(down_blocks\.\d+\.(resnets|attentions)|conv_in\.|time_embedding\.)")]
    private static partial Regex DiffusersUNet();

    [GeneratedRegex(@"^model_ema\.diffusion_model")]
    private static partial Regex Averages();

    [GeneratedRegex(
        @"^(first_stage_model\.|vae\.)?(encoder\.(down|down_blocks|mid|mid_block|conv_in)\b|decoder\.(up|up_blocks|mid|mid_block"
            + @"|conv_in)\b|post_quant_conv\.|quant_conv\.)")]
    private static partial Regex Vae();

    [GeneratedRegex(
        @"^(cond_stage_model|conditioner)\.|^(text_model\.|embeddings\.|text_encoder\.)|^(model\.)?transformer\.resblocks\."
            + @"|^encoder\.(block|layers?)\.\d+\.")]
    private static partial Regex TextEncoder();

    [GeneratedRegex(
        @"^(transformer\.)?(h|model\.layers|layers|wte|wpe|bert|roberta|gpt_neox|decoder\.layers|model\.decoder"
            + @"|model\.embed_tokens|lm_head|visual)\b")]
    private static partial Regex Transformer();

    [GeneratedRegex(@"^(conv_first\.|model\.\d+\.(sub\.)?|body\.\d+\.rdb)")]
    private static partial Regex Upscaler();
}

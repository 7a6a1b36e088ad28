using StableTune.Models;
using StableTune.Formats;

namespace StableTune.Checkpoints;

/// <summary>Finds out which family a checkpoint belongs to.</summary>
internal static class CheckpointVersion
{
    // Names that only one family has.
    private static readonly (string Name, ModelVersion Version)[] TextEncoders =
    [
        (KeyMap.SdxlText2Prefix + "ln_final.weight", ModelVersion.Sdxl),
        (KeyMap.Sd2TextPrefix + "transformer.resblocks.0.ln_1.weight", ModelVersion.Sd2),
        (KeyMap.Sd1TextPrefix + "text_model.embeddings.token_embedding.weight", ModelVersion.Sd1),
        (KeyMap.Sd1TextPrefix + "embeddings.token_embedding.weight", ModelVersion.Sd1),
    ];

    private static readonly (int Width, ModelVersion Version)[] ContextWidths = [(768, ModelVersion.Sd1), (1024, ModelVersion.Sd2),
        (2048, ModelVersion.Sdxl)];

    /// <summary>The family, and what told it.</summary>
    /// <param name="file">The checkpoint.</param>
    /// <param name="unet">Its UNet.</param>
    /// <param name="wanted">The option.</param>
    /// <exception cref="InvalidFileException">Nothing tells it, or the option contradicts the file.</exception>
    public static (ModelVersion Version, string Origin) Find(ITensorFile file, CheckpointKeys unet, ModelVersion wanted)
    {
        foreach (var (name, version) in TextEncoders)
        {
            if (!file.TryGet(name, out _)) continue;
            if (wanted == ModelVersion.Auto || wanted == version) return (version, "from the names of its text encoder");
            throw new InvalidFileException(
                file.Path,
                    $"its text encoder is that of {version.Words()} (it holds '{name}'), but the option "
                        + $"{nameof(SingleFileOptions.Version)} is {wanted}.",
                $"Set it to {version} or {ModelVersion.Auto}.");
        }

        if (wanted != ModelVersion.Auto) return (wanted, $"from the option {nameof(SingleFileOptions.Version)}");
        if (unet.Has("label_emb.0.0.weight")) return (ModelVersion.Sdxl, "from the UNet's added condition");
        var width = unet.Size("middle_block.1.transformer_blocks.0.attn2.to_k.weight", 1);
        foreach (var (usual, version) in ContextWidths)
            if (width == usual) return (version, $"from the width of the UNet's context, {width}");
        throw new InvalidFileException(
            file.Path,
                $"the family is unknown: there is no text encoder, and the UNet's context is {width} wide (768 in SD 1.x, 1024 in SD "
                    + $"2.x, 2048 in SDXL).",
            $"Set the option {nameof(SingleFileOptions.Version)}.");
    }
}

using StableTune.Formats;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>Finds out a ControlNet's architecture from a single file: the layers that look at the picture tell themselves, the rest is as
/// the UNet's.</summary>
internal static class ControlNetShapes
{
    private static readonly (UNetOptions Options, string Name)[] s_known =
        [(UNetOptions.Sd15, "1.x"), (UNetOptions.Sd21, "2.x"), (UNetOptions.Sdxl, "XL")];

    /// <summary>The architecture.</summary>
    /// <param name="file">The file.</param>
    /// <param name="names">Where its tensors lie.</param>
    /// <param name="unet">The UNet that it shall steer; null takes the published model of the same text context.</param>
    /// <exception cref="InvalidFileException">Tensors are missing, or nothing tells the UNet.</exception>
    public static ControlNetModelOptions Read(ITensorFile file, ControlNetNames names, UNetOptions? unet)
    {
        var keys = new CheckpointKeys(file, names.Prefix);
        var width = keys.Size(names.IsLdm ? "middle_block.1.transformer_blocks.0.attn2.to_k.weight"
            : "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight", 1);
        var input = names.IsLdm ? "input_blocks.0.0.weight" : "conv_in.weight";
        var (first, inputs) = (keys.Size(input, 0), keys.Size(input, 1));
        var known = unet ?? Array.Find(s_known, row => row.Options.CrossAttentionDim == width && row.Options.BlockOutChannels[0] == first)
            .Options ?? throw new InvalidFileException(file.Path,
                $"it is for a UNet with {first} channels and a text context {width} wide, which is none of the published ones; how many "
                    + "heads its attentions have stands in no single file.",
                $"Give the UNet ({nameof(ControlNetLoadOptions)}.{nameof(ControlNetLoadOptions.UNet)}), or a folder with config.json.");
        return new ControlNetModelOptions
        {
            // Told apart here, so that a message can say it before thousands of names do.
            UNet = known with { InChannels = inputs, CrossAttentionDim = width },
            ConditioningChannels = keys.Size(Picture(names, 0), 1),
            ConditioningEmbeddingChannels = Channels(keys, names),
        };
    }

    /// <summary>The published model of this text context; null where there is none.</summary>
    public static string? Published(long width) =>
        Array.Find(s_known, row => row.Options.CrossAttentionDim == width) is { Name: { } name } ? name : null;

    // The first convolution, then of each level the one that goes on to the next.
    private static List<int> Channels(CheckpointKeys keys, ControlNetNames names)
    {
        var channels = new List<int> { keys.Size(Picture(names, 0), 0) };
        for (var place = 2; keys.Has(Picture(names, place + 1)); place += 2) channels.Add(keys.Size(Picture(names, place), 0));
        return channels;
    }

    /// <summary>The weight of the n-th convolution that looks at the picture.</summary>
    private static string Picture(ControlNetNames names, int place) =>
        names.IsLdm ? FormattableString.Invariant($"input_hint_block.{2 * place}.weight")
        : place == 0 ? "controlnet_cond_embedding.conv_in.weight"
        : FormattableString.Invariant($"controlnet_cond_embedding.blocks.{place - 1}.weight");
}

/// <summary>How a file names a ControlNet's tensors.</summary>
/// <param name="IsLdm">Whether it has the original names, those of LDM; otherwise diffusers'.</param>
/// <param name="Prefix">What the names begin with.</param>
internal readonly record struct ControlNetNames(bool IsLdm, string Prefix)
{
    /// <summary>Where a ControlNet lies in files of the original names.</summary>
    public const string LdmPrefix = "control_model.";

    // A file that was cut out of another may have lost the prefix.
    private static readonly (string Sign, ControlNetNames Names)[] s_rows =
    [
        (LdmPrefix + "input_hint_block.0.weight", new(true, LdmPrefix)), ("input_hint_block.0.weight", new(true, "")),
        ("controlnet_cond_embedding.conv_in.weight", new(false, "")),
    ];

    /// <summary>The names of a file.</summary>
    /// <exception cref="InvalidFileException">It is no ControlNet.</exception>
    public static ControlNetNames Of(ITensorFile file)
    {
        foreach (var (sign, names) in s_rows)
            if (file.TryGet(sign, out _)) return names;
        var contents = WeightContents.Of(file);
        var kind = ContentKinds.Of(contents);
        var what = contents.Tensors.Count == 0 ? "a file without tensors"
            : kind == ContentKind.ControlNet ? $"a part of a ControlNet: '{s_rows[0].Sign}' is missing"
            : contents.Tensors.Any(tensor => tensor.Name.StartsWith(KeyMap.UNetPrefix, StringComparison.Ordinal)) ? "a whole model"
            : kind is ContentKind.Unknown or ContentKind.PromptFree ? $"something else, with tensors such as '{contents.Tensors[0].Name}'"
            : ContentKinds.Words(kind);
        throw new InvalidFileException(file.Path, $"it is {what}, not a ControlNet.",
            "Name a ControlNet's file, or the folder of one in diffusers' layout.");
    }
}

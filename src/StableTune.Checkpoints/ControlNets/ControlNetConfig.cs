using System.Text.Json.Nodes;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>A ControlNet's <c>config.json</c> in diffusers' layout.</summary>
internal static class ControlNetConfig
{
    public const string FileName = "config.json", Class = "ControlNetModel";

    /// <summary>What the file says. Missing keys have diffusers' defaults.</summary>
    /// <exception cref="InvalidFileException">It is missing, of something else, or describes nothing that is supported.</exception>
    public static ControlNetModelOptions Read(string path)
    {
        var config = new ConfigFile(path);
        if (config.Text("_class_name") is { } name && name != Class)
            throw new InvalidFileException(path, $"it is the configuration of a {name}, not of a {Class}.",
                "Name the folder of a ControlNet.");
        RequireSupported(config);
        var unet = ArchitectureReader.UNetBlocks(config);
        return config.Checked(new ControlNetModelOptions
        {
            UNet = unet with { UpBlockTypes = Mirrored(unet.DownBlockTypes) },
            ConditioningChannels = config.Int("conditioning_channels", 3),
            ConditioningEmbeddingChannels = config.Ints("conditioning_embedding_out_channels", [16, 32, 96, 256], 1),
            GlobalPoolConditions = config.Bool("global_pool_conditions", false),
        });
    }

    /// <summary>The text of the file, keys in diffusers' order.</summary>
    public static string Write(ControlNetModelOptions options)
    {
        var unet = options.UNet;
        var config = new SortedDictionary<string, JsonNode?>(StringComparer.Ordinal)
        {
            ["_class_name"] = Class,
            ["_diffusers_version"] = "0.21.0",
            ["act_fn"] = "silu",
            ["addition_embed_type"] = unet.AdditionEmbedType,
            ["addition_embed_type_num_heads"] = 64,
            ["addition_time_embed_dim"] = unet.TakesAddedConditions ? unet.AdditionTimeEmbedDim : null,
            // The number of heads, a historical misnomer: see UNetOptions.AttentionHeads.
            ["attention_head_dim"] = ConfigJson.OneOrList(unet.AttentionHeads),
            ["block_out_channels"] = ConfigJson.List(unet.BlockOutChannels),
            ["class_embed_type"] = null,
            ["conditioning_channels"] = options.ConditioningChannels,
            ["conditioning_embedding_out_channels"] = ConfigJson.List(options.ConditioningEmbeddingChannels),
            ["controlnet_conditioning_channel_order"] = "rgb",
            ["cross_attention_dim"] = unet.CrossAttentionDim,
            ["down_block_types"] = ConfigJson.List(unet.DownBlockTypes),
            ["downsample_padding"] = 1,
            ["encoder_hid_dim"] = null,
            ["encoder_hid_dim_type"] = null,
            ["flip_sin_to_cos"] = unet.FlipSinToCos,
            ["freq_shift"] = unet.FreqShift.Equals(Math.Truncate(unet.FreqShift)) ? (int)unet.FreqShift : ConfigJson.Real(unet.FreqShift),
            ["global_pool_conditions"] = options.GlobalPoolConditions,
            ["in_channels"] = unet.InChannels,
            ["layers_per_block"] = unet.LayersPerBlock,
            ["mid_block_scale_factor"] = 1,
            ["mid_block_type"] = "UNetMidBlock2DCrossAttn",
            ["norm_eps"] = ConfigJson.Real(unet.NormEps),
            ["norm_num_groups"] = unet.NormNumGroups,
            ["num_attention_heads"] = null,
            ["num_class_embeds"] = null,
            ["only_cross_attention"] = false,
            ["projection_class_embeddings_input_dim"] = unet.TakesAddedConditions ? unet.ProjectionClassEmbeddingsInputDim : null,
            ["resnet_time_scale_shift"] = "default",
            ["transformer_layers_per_block"] = ConfigJson.OneOrList(unet.TransformerLayersPerBlock),
            ["upcast_attention"] = unet.UpcastAttention,
            ["use_linear_projection"] = unet.UseLinearProjection,
        };
        return ConfigJson.Text(new JsonObject(config));
    }

    /// <summary>The way up that goes with a way down; a ControlNet has none, but options of UNets are complete.</summary>
    private static string[] Mirrored(IReadOnlyList<string> down) =>
        [.. down.Reverse().Select(type => type == UNetOptions.CrossAttentionDown ? UNetOptions.CrossAttentionUp : UNetOptions.PlainUp)];

    /// <summary>What would change the computation, with the values that do not.</summary>
    private static void RequireSupported(ConfigFile config)
    {
        config.RequireOneOf("act_fn", "\"silu\"", "\"swish\"");
        config.RequireOneOf("only_cross_attention", "false");
        config.RequireOneOf("class_embed_type", "null");
        config.RequireOneOf("num_class_embeds", "null");
        config.RequireOneOf("encoder_hid_dim", "null");
        config.RequireOneOf("encoder_hid_dim_type", "null");
        config.RequireOneOf("resnet_time_scale_shift", "\"default\"");
        config.RequireOneOf("mid_block_type", "\"UNetMidBlock2DCrossAttn\"");
        config.RequireOneOf("mid_block_scale_factor", "1");
        config.RequireOneOf("downsample_padding", "1");
        config.RequireOneOf("controlnet_conditioning_channel_order", "\"rgb\"");
    }
}

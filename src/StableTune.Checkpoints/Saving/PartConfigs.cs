using System.Text.Json.Nodes;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>The configurations of a model folder, from options records: the keys that the records model.</summary>
internal static class PartConfigs
{
    /// <summary>The keys of a part's <c>config.json</c>.</summary>
    public static JsonObject Of(OptionsBase options) => options switch
    {
        UNetOptions unet => UNet(unet),
        VaeOptions vae => Vae(vae),
        ClipTextOptions text => ClipText(text),
        BertTextOptions text => Bert(text),
        LdmBertOptions text => LdmBert(text),
        SchedulerOptions scheduler => Scheduler(scheduler),
        _ => throw new ArgumentException($"There is no configuration for {options.GetType().Name}.", nameof(options)),
    };

    /// <summary>The template that holds the other keys; null where there are none.</summary>
    public static string? TemplateOf(OptionsBase? options) => options switch
    {
        UNetOptions => "unet",
        VaeOptions => "vae",
        BertTextOptions or LdmBertOptions => null,
        _ => "text-encoder",
    };

    /// <summary>The options that a configuration file describes.</summary>
    /// <param name="like">Options of the same kind.</param>
    /// <param name="path">The file.</param>
    /// <exception cref="InvalidFileException">The file is missing or describes nothing that is known.</exception>
    public static OptionsBase Read(OptionsBase like, string path)
    {
        var config = new ConfigFile(path);
        return like switch
        {
            UNetOptions => ArchitectureReader.UNet(config),
            VaeOptions => ArchitectureReader.Vae(config),
            SchedulerOptions => ArchitectureReader.Scheduler(config),
            BertTextOptions { PositionsFollowPadding: true } => BertConfigReader.Roberta(config),
            BertTextOptions => BertConfigReader.Bert(config),
            LdmBertOptions => BertConfigReader.LdmBert(config),
            _ => ArchitectureReader.ClipText(config),
        };
    }

    private static JsonObject UNet(UNetOptions options)
    {
        var config = new JsonObject
        {
            // The number of heads, a historical misnomer: see UNetOptions.AttentionHeads.
            ["attention_head_dim"] = ConfigJson.OneOrList(options.AttentionHeads),
            ["block_out_channels"] = ConfigJson.List(options.BlockOutChannels),
            ["cross_attention_dim"] = options.CrossAttentionDim,
            ["down_block_types"] = ConfigJson.List(options.DownBlockTypes),
            ["flip_sin_to_cos"] = options.FlipSinToCos,
            ["freq_shift"] = Whole(options.FreqShift),
            ["in_channels"] = options.InChannels,
            ["layers_per_block"] = options.LayersPerBlock,
            ["norm_eps"] = ConfigJson.Real(options.NormEps),
            ["norm_num_groups"] = options.NormNumGroups,
            ["out_channels"] = options.OutChannels,
            ["sample_size"] = options.SampleSize,
            ["up_block_types"] = ConfigJson.List(options.UpBlockTypes),
            ["upcast_attention"] = options.UpcastAttention,
            ["use_linear_projection"] = options.UseLinearProjection,
        };
        if (options.TransformerLayersPerBlock.Any(layers => layers != 1))
            config["transformer_layers_per_block"] = ConfigJson.OneOrList(options.TransformerLayersPerBlock);
        if (options.AdditionEmbedType is null) return config;
        config["addition_embed_type"] = options.AdditionEmbedType;
        config["addition_time_embed_dim"] = options.AdditionTimeEmbedDim;
        config["projection_class_embeddings_input_dim"] = options.ProjectionClassEmbeddingsInputDim;
        return config;
    }

    private static JsonObject Vae(VaeOptions options) => new()
    {
        ["block_out_channels"] = ConfigJson.List(options.BlockOutChannels),
        ["down_block_types"] = ConfigJson.List(options.BlockOutChannels.Select(_ => "DownEncoderBlock2D")),
        ["in_channels"] = options.InChannels,
        ["latent_channels"] = options.LatentChannels,
        ["layers_per_block"] = options.LayersPerBlock,
        ["norm_num_groups"] = options.NormNumGroups,
        ["out_channels"] = options.OutChannels,
        ["sample_size"] = options.SampleSize,
        ["scaling_factor"] = ConfigJson.Real(options.ScalingFactor),
        ["up_block_types"] = ConfigJson.List(options.BlockOutChannels.Select(_ => "UpDecoderBlock2D")),
    };

    private static JsonObject ClipText(ClipTextOptions options) => new()
    {
        ["architectures"] = ConfigJson.List([ClassOf(options)]),
        ["eos_token_id"] = options.EndTokenId,
        ["hidden_act"] = options.Activation,
        ["hidden_size"] = options.HiddenSize,
        ["intermediate_size"] = options.IntermediateSize,
        ["layer_norm_eps"] = ConfigJson.Real(options.LayerNormEps),
        ["max_position_embeddings"] = options.MaxPositions,
        ["num_attention_heads"] = options.Heads,
        ["num_hidden_layers"] = options.Layers,
        // Without a projection nobody looks at it.
        ["projection_dim"] = options.ProjectionDim ?? options.HiddenSize,
        ["vocab_size"] = options.VocabularySize,
    };

    private static JsonObject Bert(BertTextOptions options) => new()
    {
        ["architectures"] = ConfigJson.List([ClassOf(options)]),
        ["hidden_act"] = options.Activation,
        ["hidden_size"] = options.HiddenSize,
        ["intermediate_size"] = options.IntermediateSize,
        ["layer_norm_eps"] = ConfigJson.Real(options.LayerNormEps),
        ["max_position_embeddings"] = options.PositionRows,
        ["model_type"] = options.PositionsFollowPadding ? "roberta" : "bert",
        ["num_attention_heads"] = options.Heads,
        ["num_hidden_layers"] = options.Layers,
        ["pad_token_id"] = options.PadTokenId,
        ["position_embedding_type"] = "absolute",
        ["type_vocab_size"] = options.TypeVocabularySize,
        ["use_attention_mask"] = options.UseAttentionMask,
        ["vocab_size"] = options.VocabularySize,
    };

    private static JsonObject LdmBert(LdmBertOptions options) => new()
    {
        ["activation_function"] = options.Activation,
        ["architectures"] = ConfigJson.List([ClassOf(options)]),
        ["d_model"] = options.HiddenSize,
        ["encoder_attention_heads"] = options.Heads,
        ["encoder_ffn_dim"] = options.IntermediateSize,
        ["encoder_layers"] = options.Layers,
        ["head_dim"] = options.HeadSize,
        ["max_position_embeddings"] = options.MaxPositions,
        ["model_type"] = "ldmbert",
        ["pad_token_id"] = options.PadTokenId,
        ["use_attention_mask"] = options.UseAttentionMask,
        ["vocab_size"] = options.VocabularySize,
    };

    private static JsonObject Scheduler(SchedulerOptions options)
    {
        var config = new JsonObject
        {
            ["beta_end"] = ConfigJson.Real(options.BetaEnd),
            ["beta_schedule"] = options.BetaSchedule,
            ["beta_start"] = ConfigJson.Real(options.BetaStart),
            ["clip_sample"] = options.ClipSample,
            ["num_train_timesteps"] = options.TrainTimesteps,
            ["prediction_type"] = options.Prediction.Name(),
            ["set_alpha_to_one"] = options.SetAlphaToOne,
            ["steps_offset"] = options.StepsOffset,
            ["trained_betas"] = options.TrainedBetas is { } betas ? new JsonArray([.. betas.Select(ConfigJson.Real)]) : null,
        };
        if (options.ClassName.Length > 0) config["_class_name"] = options.ClassName;
        if (options.TimestepSpacing != "leading") config["timestep_spacing"] = options.TimestepSpacing;
        if (options.RescaleBetasZeroSnr) config["rescale_betas_zero_snr"] = true;
        if (options.UseKarrasSigmas) config["use_karras_sigmas"] = true;
        if (options.AlgorithmType != "dpmsolver++") config["algorithm_type"] = options.AlgorithmType;
        return config;
    }

    /// <summary>The class of a part in diffusers or transformers.</summary>
    /// <param name="options">The architecture; null for a text encoder of a host's own kind.</param>
    public static string ClassOf(OptionsBase? options) => options switch
    {
        UNetOptions => "UNet2DConditionModel",
        VaeOptions => "AutoencoderKL",
        ClipTextOptions { ProjectionDim: null } => "CLIPTextModel",
        ClipTextOptions => "CLIPTextModelWithProjection",
        BertTextOptions { PositionsFollowPadding: true } => "RobertaModel",
        LdmBertOptions => "LDMBertModel",
        _ => "BertModel",      // of a host's own kind only where the source has no index, which such models always have
    };

    private static JsonNode Whole(double value) =>
        value.Equals(Math.Truncate(value)) ? JsonValue.Create((int)value) : ConfigJson.Real(value);
}

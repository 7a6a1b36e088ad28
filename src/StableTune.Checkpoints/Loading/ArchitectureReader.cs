using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>Reads the architectures of a model folder from its configurations. Missing keys have the defaults of diffusers and
/// transformers.</summary>
internal static class ArchitectureReader
{
    // What is repeated when a model is built is bounded before it is: no published model comes near.
    private const int MostLevels = 16, MostLayers = 256;

    private static readonly string[] OtherProcesses = ["FlowMatch", "EDM", "VQDiffusion", "Karras", "ScoreSde", "CosineDPM"];

    /// <summary><c>unet/config.json</c>.</summary>
    /// <exception cref="InvalidFileException">A value has the wrong type, is not supported, or does not fit the others.</exception>
    public static UNetOptions UNet(ConfigFile config)
    {
        RequireClass(config, "UNet2DConditionModel");
        // What would change the computation, with the values that do not.
        config.RequireOneOf("act_fn", "\"silu\"", "\"swish\"");
        config.RequireOneOf("center_input_sample", "false");
        config.RequireOneOf("only_cross_attention", "false");
        config.RequireOneOf("dual_cross_attention", "false");
        config.RequireOneOf("class_embed_type", "null");
        config.RequireOneOf("num_class_embeds", "null");
        config.RequireOneOf("encoder_hid_dim", "null");
        config.RequireOneOf("encoder_hid_dim_type", "null");
        config.RequireOneOf("time_embedding_type", "\"positional\"");
        config.RequireOneOf("time_embedding_dim", "null");
        config.RequireOneOf("time_embedding_act_fn", "null");
        config.RequireOneOf("timestep_post_act", "null");
        config.RequireOneOf("time_cond_proj_dim", "null");
        config.RequireOneOf("resnet_time_scale_shift", "\"default\"");
        config.RequireOneOf("resnet_skip_time_act", "false");
        config.RequireOneOf("resnet_out_scale_factor", "1.0");
        config.RequireOneOf("mid_block_type", "\"UNetMidBlock2DCrossAttn\"");
        config.RequireOneOf("mid_block_scale_factor", "1");
        config.RequireOneOf("mid_block_only_cross_attention", "null", "false");
        config.RequireOneOf("downsample_padding", "1");
        config.RequireOneOf("dropout", "0");
        config.RequireOneOf("conv_in_kernel", "3");
        config.RequireOneOf("conv_out_kernel", "3");
        config.RequireOneOf("cross_attention_norm", "null");
        config.RequireOneOf("attention_type", "\"default\"");
        config.RequireOneOf("reverse_transformer_layers_per_block", "null");

        return config.Checked(UNetBlocks(config) with
        {
            OutChannels = config.Int("out_channels", 4),
            SampleSize = Same(config, "sample_size", 64),
            UpBlockTypes = config.Texts("up_block_types", UNetOptions.Sd15.UpBlockTypes),
        });
    }

    /// <summary>What the configurations of UNets and of their ControlNets have in common; not checked yet.</summary>
    /// <exception cref="InvalidFileException">As for <see cref="UNet"/>.</exception>
    public static UNetOptions UNetBlocks(ConfigFile config)
    {
        var channels = config.Ints("block_out_channels", [320, 640, 1280, 1280], 1);
        var levels = Levels(config, channels);
        // "attention_head_dim" is the number of heads unless "num_attention_heads" says otherwise: the misnomer of the first release.
        var heads = config.Ints("num_attention_heads", config.Ints("attention_head_dim", [.. Enumerable.Repeat(8, levels)], levels),
            levels);
        return new UNetOptions
        {
            InChannels = config.Int("in_channels", 4),
            BlockOutChannels = channels,
            LayersPerBlock = Same(config, "layers_per_block", 2, MostLayers),
            AttentionHeads = heads,
            TransformerLayersPerBlock = config.Ints("transformer_layers_per_block", [.. Enumerable.Repeat(1, levels)], levels, MostLayers),
            CrossAttentionDim = Same(config, "cross_attention_dim", 1280),
            DownBlockTypes = config.Texts("down_block_types", UNetOptions.Sd15.DownBlockTypes),
            UseLinearProjection = config.Bool("use_linear_projection", false),
            UpcastAttention = config.Bool("upcast_attention", false),
            NormNumGroups = config.Int("norm_num_groups", 32),
            NormEps = config.Double("norm_eps", 1e-5),
            FlipSinToCos = config.Bool("flip_sin_to_cos", true),
            FreqShift = config.Double("freq_shift", 0),
            AdditionEmbedType = config.Text("addition_embed_type"),
            AdditionTimeEmbedDim = config.Int("addition_time_embed_dim", 256),
            ProjectionClassEmbeddingsInputDim = config.Int("projection_class_embeddings_input_dim", 0),
        };
    }

    /// <summary><c>vae/config.json</c>.</summary>
    /// <exception cref="InvalidFileException">As for <see cref="UNet"/>.</exception>
    public static VaeOptions Vae(ConfigFile config)
    {
        RequireClass(config, "AutoencoderKL");
        config.RequireOneOf("act_fn", "\"silu\"", "\"swish\"");
        config.RequireOneOf("use_quant_conv", "true");
        config.RequireOneOf("use_post_quant_conv", "true");
        config.RequireOneOf("mid_block_add_attention", "true");
        config.RequireOneOf("shift_factor", "null");
        config.RequireOneOf("latents_mean", "null");
        config.RequireOneOf("latents_std", "null");
        config.RequireOneOf("down_block_types", "\"DownEncoderBlock2D\"");
        config.RequireOneOf("up_block_types", "\"UpDecoderBlock2D\"");
        var channels = config.Ints("block_out_channels", [64], 1);
        Levels(config, channels);
        return config.Checked(new VaeOptions
        {
            InChannels = config.Int("in_channels", 3),
            OutChannels = config.Int("out_channels", 3),
            LatentChannels = config.Int("latent_channels", 4),
            BlockOutChannels = channels,
            LayersPerBlock = config.Int("layers_per_block", 1, MostLayers),
            NormNumGroups = config.Int("norm_num_groups", 32),
            SampleSize = Same(config, "sample_size", 32),
            ScalingFactor = config.Double("scaling_factor", 0.18215),
        });
    }

    /// <summary><c>text_encoder/config.json</c>.</summary>
    /// <exception cref="InvalidFileException">As for <see cref="UNet"/>.</exception>
    public static ClipTextOptions ClipText(ConfigFile config)
    {
        var projects = config.Texts("architectures", []).Contains("CLIPTextModelWithProjection");
        return config.Checked(new ClipTextOptions
        {
            VocabularySize = config.Int("vocab_size", 49_408),
            HiddenSize = config.Int("hidden_size", 512),
            IntermediateSize = config.Int("intermediate_size", 2048),
            Layers = config.Int("num_hidden_layers", 12, MostLayers),
            Heads = config.Int("num_attention_heads", 8),
            MaxPositions = config.Int("max_position_embeddings", 77),
            Activation = config.Text("hidden_act") ?? "quick_gelu",
            LayerNormEps = config.Double("layer_norm_eps", 1e-5),
            ProjectionDim = projects ? config.Int("projection_dim", 512) : null,
            EndTokenId = config.Int("eos_token_id", 49_407),
        });
    }

    /// <summary><c>scheduler/scheduler_config.json</c>.</summary>
    /// <exception cref="InvalidFileException">As for <see cref="UNet"/>.</exception>
    public static SchedulerOptions Scheduler(ConfigFile config)
    {
        // Processes without betas: their models are no Stable Diffusion.
        var name = config.Text("_class_name") ?? "";
        if (OtherProcesses.FirstOrDefault(start => name.StartsWith(start, StringComparison.Ordinal)) is not null)
            throw new InvalidFileException(
                config.Path, $"the scheduler is a {name}, whose process is not Stable Diffusion's.",
                "Use a model of Stable Diffusion 1.x, 2.x or XL.");
        var betas = config.Doubles("trained_betas");
        // Before diffusers 0.9 some samplers said it so.
        var named = config.Text("prediction_type") ?? (config.Bool("predict_epsilon", true) ? "epsilon" : "sample");
        if (!ModelNames.TryParsePrediction(named, out var prediction))
            throw new InvalidFileException(
                config.Path, $"prediction_type is \"{named}\", which is not known.",
                    $"Use one of: {string.Join(", ", ModelNames.Predictions)}.");
        // diffusers' default schedule is linear; published models all say scaled_linear.
        return config.Checked(new SchedulerOptions
        {
            ClassName = name,
            TrainTimesteps = config.Int("num_train_timesteps", 1000),
            BetaStart = config.Double("beta_start", 0.0001),
            BetaEnd = config.Double("beta_end", 0.02),
            BetaSchedule = config.Text("beta_schedule") ?? "linear",
            TrainedBetas = betas is { Count: 0 } ? null : betas,
            Prediction = prediction,
            ClipSample = config.Bool("clip_sample", false),
            SetAlphaToOne = config.Bool("set_alpha_to_one", false),
            StepsOffset = config.Int("steps_offset", 0),
            TimestepSpacing = config.Text("timestep_spacing") ?? "leading",
            RescaleBetasZeroSnr = config.Bool("rescale_betas_zero_snr", false),
            UseKarrasSigmas = config.Bool("use_karras_sigmas", false),
            AlgorithmType = config.Text("algorithm_type") ?? "dpmsolver++",
        });
    }

    private static void RequireClass(ConfigFile config, string expected)
    {
        if (config.Text("_class_name") is { } found && found != expected)
            throw new InvalidFileException(
                config.Path, $"the class is {found}, not {expected}.", "Use a model of a supported architecture.");
    }

    private static int Levels(ConfigFile config, IReadOnlyList<int> channels) =>
        channels.Count <= MostLevels ? channels.Count : throw new InvalidFileException(
        config.Path, $"\"block_out_channels\" has {channels.Count} levels, more than any model has.",
            "Use a model of a supported architecture.");

    // Some configurations repeat one number for every level, or for height and width.
    private static int Same(ConfigFile config, string key, int fallback, int? most = null)
    {
        var values = most is { } bound ? config.Ints(key, [fallback], 1, bound) : config.Ints(key, [fallback], 1);
        if (values.Count > 0 && values.All(value => value == values[0])) return values[0];
        throw new InvalidFileException(
            config.Path, $"\"{key}\" is [{string.Join(", ", values)}]; different numbers are not supported.",
            "Use a model of a supported architecture.");
    }
}

using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests;

/// <summary>Configurations as known base models publish them (the sizes are the tiny model's), from the first release of diffusers
/// on.</summary>
public sealed class PublishedConfigurationTests : IDisposable
{
    private const string Betas = "\"beta_end\": 0.012, \"beta_schedule\": \"scaled_linear\", \"beta_start\": 0.00085, "
        + "\"num_train_timesteps\": 1000";

    private readonly TemporaryFolder _folder = new();
    private readonly string _path;

    public PublishedConfigurationTests() => _path = FixtureModels.TinySd15(_folder);

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, string, string> Schedulers => new()
    {
        { "Stable Diffusion 1.4", "PNDMScheduler",
            $"\"_diffusers_version\": \"0.2.2\", {Betas}, \"set_alpha_to_one\": false, \"skip_prk_steps\": true, \"steps_offset\": 1, "
                + $"\"trained_betas\": null, \"clip_sample\": false" },
        { "Stable Diffusion 1.5", "PNDMScheduler",
            $"\"_diffusers_version\": \"0.6.0\", {Betas}, \"set_alpha_to_one\": false, \"skip_prk_steps\": true, \"steps_offset\": 1, "
                + $"\"trained_betas\": null, \"clip_sample\": false" },
        { "waifu-diffusion", "DDIMScheduler",
            $"\"_diffusers_version\": \"0.10.2\", {Betas}, \"clip_sample\": false, \"prediction_type\": \"epsilon\", "
                + $"\"set_alpha_to_one\": false, \"steps_offset\": 1, \"trained_betas\": null" },
        { "trinart", "PNDMScheduler",
            $"\"_diffusers_version\": \"0.3.0\", {Betas}, \"skip_prk_steps\": true, \"tensor_format\": \"pt\", \"trained_betas\": null" },
        { "Hentai-Diffusion", "PNDMScheduler",
            $"\"_diffusers_version\": \"0.4.1\", {Betas}, \"skip_prk_steps\": true, \"trained_betas\": []" },
        { "Taiyi", "PNDMScheduler",
            $"\"_diffusers_version\": \"0.7.1\", {Betas}, \"set_alpha_to_one\": false, \"skip_prk_steps\": true, \"steps_offset\": 1, "
                + $"\"trained_betas\": null, \"clip_sample\": false, \"num_inference_steps\": 50" },
        { "LMS", "LMSDiscreteScheduler", Betas },
        { "Euler", "EulerDiscreteScheduler",
            $"{Betas}, \"interpolation_type\": \"linear\", \"use_karras_sigmas\": false, \"timestep_spacing\": \"leading\"" },
        { "Euler a", "EulerAncestralDiscreteScheduler", Betas },
        { "DPM", "DPMSolverMultistepScheduler",
            $"{Betas}, \"predict_epsilon\": true, \"algorithm_type\": \"dpmsolver++\", \"lower_order_final\": true" },
        { "UniPC", "UniPCMultistepScheduler", $"{Betas}, \"predict_x0\": true, \"solver_type\": \"bh2\"" },
        { "Heun", "HeunDiscreteScheduler", Betas },
        { "KDPM2", "KDPM2AncestralDiscreteScheduler", Betas },
        { "DEIS", "DEISMultistepScheduler", Betas },
        { "DDPM", "DDPMScheduler", $"{Betas}, \"variance_type\": \"fixed_small\"" },
    };

    [Theory]
    [MemberData(nameof(Schedulers))]
    public void Load_SchedulerOfAKnownModel_HasItsBetas(string model, string sampler, string entries)
    {
        File.WriteAllText(Path.Combine(_path, "scheduler", "scheduler_config.json"), $"{{\"_class_name\": \"{sampler}\", {entries}}}");
        using var loaded = ModelLoader.Load(_path, new ModelLoadOptions { Parts = ModelParts.Vae });
        Assert.NotEmpty(model);
        Assert.Equal((sampler, 0.00085, 0.012, "scaled_linear", ModelPrediction.Epsilon),
            (loaded.Scheduler.ClassName, loaded.Scheduler.BetaStart, loaded.Scheduler.BetaEnd, loaded.Scheduler.BetaSchedule,
            loaded.Scheduler.Prediction));
        Assert.Null(loaded.Scheduler.TrainedBetas);
    }

    [Theory]
    [InlineData("\"predict_epsilon\": false", ModelPrediction.Sample)]
    [InlineData("\"prediction_type\": \"v_prediction\"", ModelPrediction.V)]
    public void Load_SchedulerThatSaysThePrediction_HasIt(string entry, ModelPrediction expected)
    {
        File.WriteAllText(Path.Combine(_path, "scheduler", "scheduler_config.json"),
            $"{{\"_class_name\": \"DPMSolverMultistepScheduler\", {Betas}, {entry}}}");
        using var loaded = ModelLoader.Load(_path, new ModelLoadOptions { Parts = ModelParts.Vae });
        Assert.Equal(expected, loaded.Scheduler.Prediction);
    }

    [Fact]
    public void Load_ConfigurationsOfTheFirstReleases_HaveTheirDefaults()
    {
        // Stable Diffusion 1.4: no linear projections, scaling factor, prediction, or projection; the index names a safety checker that
        // is not there.
        Write("unet/config.json", """
            {"_class_name": "UNet2DConditionModel", "_diffusers_version": "0.2.2", "act_fn": "silu", "attention_head_dim": 8, "block_out_channels": [32, 32, 32, 64],
             "center_input_sample": false, "cross_attention_dim": 48, "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
             "downsample_padding": 1, "flip_sin_to_cos": true, "freq_shift": 0, "in_channels": 4, "layers_per_block": 2, "mid_block_scale_factor": 1, "norm_eps": 1e-05,
             "norm_num_groups": 8, "out_channels": 4, "sample_size": 64, "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]}
            """);
        Write("vae/config.json", """
            {"_class_name": "AutoencoderKL", "_diffusers_version": "0.2.2", "act_fn": "silu", "block_out_channels": [16, 32, 16, 16], "norm_num_groups": 8,
             "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"], "in_channels": 3, "latent_channels": 4, "layers_per_block": 2,
             "out_channels": 3, "sample_size": 512, "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]}
            """);
        Write("text_encoder/config.json", """
            {"_name_or_path": "openai/clip-vit-large-patch14", "attention_dropout": 0.0, "bos_token_id": 0, "dropout": 0.0, "eos_token_id": 2, "hidden_act": "quick_gelu", "hidden_size": 48,
             "initializer_factor": 1.0, "initializer_range": 0.02, "intermediate_size": 192, "layer_norm_eps": 1e-05, "max_position_embeddings": 77, "model_type": "clip_text_model",
             "num_attention_heads": 4, "num_hidden_layers": 5, "pad_token_id": 1, "torch_dtype": "float32", "transformers_version": "4.21.0.dev0", "vocab_size": 1000}
            """);
        Write("model_index.json", """
            {"_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.2.2", "feature_extractor": ["transformers", "CLIPFeatureExtractor"],
             "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"], "scheduler": ["diffusers", "PNDMScheduler"], "text_encoder": ["transformers", "CLIPTextModel"],
             "tokenizer": ["transformers", "CLIPTokenizer"], "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}
            """);
        Assert.Empty(ModelLoader.Check(_path));
        using var model = ModelLoader.Load(_path);
        Assert.Equal((0.18215, "sd_v1", 64), (model.Vae.Options.ScalingFactor, model.BaseModelVersion, model.UNet.Options.SampleSize));
        Assert.Equal([8, 8, 8, 8], model.UNet.Options.AttentionHeads);
    }

    private void Write(string file, string text) => File.WriteAllText(Path.Combine(_path, file), text);
}

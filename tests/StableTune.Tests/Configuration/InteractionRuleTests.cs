namespace StableTune.Tests.Configuration;

/// <summary>What options forbid each other, before anything is looked at.</summary>
public sealed class InteractionRuleTests
{
    [Theory]
    [InlineData("--full_fp16", "full_fp16", "needs mixed_precision fp16")]
    [InlineData("--full_bf16 --mixed_precision fp16", "full_bf16", "needs mixed_precision bf16")]
    [InlineData("--full_fp16 --mixed_precision bf16", "full_fp16", "needs mixed_precision fp16")]
    [InlineData("--fp8_base", "fp8_base", "it needs mixed precision")]
    [InlineData("--fused_backward_pass", "fused_backward_pass", "set max_grad_norm to 0")]
    [InlineData("--fused_backward_pass --max_grad_norm 0 --gradient_accumulation_steps 2", "fused_backward_pass", "gradient_accumulation")]
    [InlineData("--fused_optimizer_groups 4 --max_grad_norm 0 --mixed_precision fp16", "fused_optimizer_groups", "use bf16")]
    [InlineData("--ema_decay 0.9", "ema_decay", "set use_ema")]
    [InlineData("--use_ema --ema_power 0.75", "ema_power", "set use_ema_warmup")]
    [InlineData("--adaptive_noise_scale 0.1", "adaptive_noise_scale", "noise_offset, which is not given")]
    [InlineData("--scale_v_pred_loss_like_noise_pred --v_parameterization=false", "scale_v_pred", "v_parameterization is false")]
    [InlineData("--v_pred_like_loss 1 --v_parameterization", "v_pred_like_loss", "predicts velocity already")]
    [InlineData("--use_8bit_adam --optimizer_type AdamW", "optimizer_type", "use_8bit_adam chooses an optimizer too")]
    [InlineData("--use_8bit_adam --use_lion_optimizer", "use_lion_optimizer", "chooses an optimizer too")]
    [InlineData("--lr_warmup_steps 10", "lr_warmup_steps", "constant has no warm-up")]
    [InlineData("--save_state_to_huggingface", "save_state_to_huggingface", "save_state and huggingface_repo_id")]
    [InlineData("--log_with tensorboard", "log_with", "needs logging_dir")]
    [InlineData("--network_train_unet_only --network_train_text_encoder_only", "network_train_text_encoder_only", "nothing would be")]
    [InlineData("--dim_from_weights", "dim_from_weights", "no network_weights")]
    [InlineData("--cache_latents --color_aug", "cache_latents", "color_aug")]
    [InlineData("--cache_latents --random_crop", "cache_latents", "random_crop")]
    [InlineData("--cache_text_encoder_outputs --shuffle_caption", "cache_text_encoder_outputs", "shuffle_caption")]
    [InlineData("--min_timestep 500 --max_timestep 400", "max_timestep", "500 to below 400")]
    [InlineData("--min_timestep 500 --max_timestep 500", "max_timestep", "give 501")]
    [InlineData("--step_range 0.5,0.2", "step_range", "the first below the second")]
    [InlineData("--initial_step 2000", "initial_step", "max_train_steps is 1600")]
    [InlineData("--in_json a.json --reg_data_dir r", "reg_data_dir", "takes no regularisation images")]
    [InlineData("--masked_loss", "masked_loss", "conditioning_data_dir")]
    [InlineData("--resume a --resume_auto", "resume", "looks for a state itself")]
    [InlineData("--save_n_epoch_ratio 4 --save_every_n_epochs 2", "save_n_epoch_ratio", "save_every_n_epochs")]
    [InlineData("--save_last_n_steps_state 4", "save_last_n_steps_state", "no states are written")]
    [InlineData("--save_model_as diffusers", "save_model_as", "not a model")]
    [InlineData("--with_prior_preservation", "class_data_dir", "needs images of the class")]
    [InlineData("--instance_data_dir x", "instance_prompt", "need a prompt")]
    [InlineData("--deepspeed", "deepspeed", "are not cut into shards")]
    [InlineData("--base_weights_multiplier 1", "base_weights_multiplier", "0 file(s)")]
    public void WhatDoesNotGoTogether_IsRefused(string options, string name, string told)
    {
        var fault = Assert.Throws<InvalidOptionsException>(() => Parse(options));
        Assert.Contains(fault.Problems, problem => problem.Option.Contains(name, StringComparison.Ordinal)
            && problem.ToString().Contains(told, StringComparison.OrdinalIgnoreCase));
    }

    [Theory]
    [InlineData("--max_train_epochs 2 --max_train_steps 10", "max_train_steps is 10: it is not looked at")]
    [InlineData("--sample_every_n_epochs 1 --sample_every_n_steps 5", "sample_every_n_steps is 5: it is not looked at")]
    [InlineData("--sample_every_n_steps 0", "it is turned off")]
    [InlineData("--sample_every_n_steps 5", "sample_prompts is not given")]
    [InlineData("--cache_latents_to_disk", "cache_latents_to_disk turns cache_latents on")]
    [InlineData("--enable_bucket --bucket_no_upscale --min_bucket_reso 320", "min_bucket_reso is not looked at")]
    [InlineData("--huber_c 0.5", "huber_c is 0.5: it is not looked at, because loss_type is l2")]
    [InlineData("--class_data_dir x", "class_data_dir is not looked at")]
    [InlineData("--sample_batch_size 2", "sample_batch_size is not looked at")]
    [InlineData("--min_snr_gamma 5 --debiased_estimation_loss", "weigh the same twice")]
    [InlineData("--alpha_mask --masked_loss --conditioning_data_dir m", "alpha_mask has no effect")]
    public void WhatIsNotLookedAt_IsTold(string options, string told) =>
        Assert.Contains(Parse(options).Notes, note => note.Contains(told, StringComparison.Ordinal));

    [Fact]
    public void Epochs_WinOverSteps() =>
        Assert.Equal(TrainingLength.Epochs(2), Parse("--max_train_epochs 2 --max_train_steps 10").Builder.Plan.Length);

    [Fact]
    public void WhatGoesTogether_IsInThePlan()
    {
        Assert.Equal(PrecisionPolicy.Float16, Parse("--mixed_precision fp16").Builder.Plan.Precision);
        Assert.Equal(PrecisionPolicy.FullFloat16, Parse("--mixed_precision fp16 --full_fp16").Builder.Plan.Precision);
        Assert.Equal(new FusedBackwardOptions(), Parse("--fused_backward_pass --max_grad_norm 0").Builder.Plan.FusedBackward);
        Assert.Equal(new FusedBackwardOptions { Groups = 4 },
            Parse("--fused_optimizer_groups 4 --max_grad_norm 0 --use_8bit_adam").Builder.Plan.FusedBackward);
        Assert.Equal(new EmaOptions { Decay = 0.99, Warmup = new PowerEmaWarmup { Power = 0.75 }, SaveBoth = true }, Parse(
            "--use_ema --ema_decay 0.99 --use_ema_warmup --ema_power 0.75 --save_ema_and_weights").Builder.Plan.Ema);
        Assert.Equal(new NonFiniteOptions { Skip = true, MostInARow = 5 }, Parse("--skip_non_finite_steps 5").Builder.Plan.NonFinite);
        Assert.Equal(0.5, Parse("--max_grad_value 0.5").Builder.Plan.MaxGradientValue);
    }

    [Fact]
    public void WeightedCaptions_WithAWordThatIsLearnt_AreRefused()
    {
        var fault = Assert.Throws<InvalidOptionsException>(() => RunConfiguration.Parse(
            [.. OptionNameTests.Base(RunScript.TextualInversion), "--weighted_captions"], RunScript.TextualInversion));
        Assert.Contains("weighted_captions", fault.Message, StringComparison.Ordinal);
    }

    private static RunConfiguration Parse(string options) =>
        RunConfiguration.Parse([.. OptionNameTests.Base(RunScript.Network), .. options.Split(' ')]);
}

using StableTune.Losses;

namespace StableTune.Training;

/// <summary>What files say about number types and memory.</summary>
internal sealed record PrecisionFacts
{
    /// <summary><c>no</c>, <c>fp16</c> or <c>bf16</c>.</summary>
    public string MixedPrecision { get; init; } = "no";

    /// <summary>Whether everything, gradients too, was float16.</summary>
    public bool FullFp16 { get; init; }

    /// <summary>Whether the frozen weights were 8-bit floats.</summary>
    public bool Fp8Base { get; init; }

    /// <summary>Whether the UNet's frozen weights were 8-bit floats.</summary>
    public bool Fp8BaseUNet { get; init; }

    /// <summary>Whether the model was loaded straight onto the device.</summary>
    public bool LowRam { get; init; }

    /// <summary>Whether latents were computed once.</summary>
    public bool CacheLatents { get; init; }

    internal IEnumerable<(string Key, object? Value)> Rows() =>
    [
        ("ss_mixed_precision", MixedPrecision), ("ss_full_fp16", FullFp16), ("ss_fp8_base", Fp8Base), ("ss_fp8_base_unet", Fp8BaseUNet),
        ("ss_lowram", LowRam), ("ss_cache_latents", CacheLatents),
    ];
}

/// <summary>What files say about noise and loss. The defaults are those of a plain run.</summary>
internal sealed record LossFacts
{
    /// <summary>Offset added to the noise of each channel; null for none.</summary>
    public double? NoiseOffset { get; init; }

    /// <summary>Whether the offset's strength was random.</summary>
    public bool NoiseOffsetRandomStrength { get; init; }

    /// <summary>Factor of the latents' mean in the offset; null for none.</summary>
    public double? AdaptiveNoiseScale { get; init; }

    /// <summary>Levels of multi-resolution noise; null for none.</summary>
    public int? MultiresNoiseIterations { get; init; }

    /// <summary>Strength from level to level.</summary>
    public double MultiresNoiseDiscount { get; init; } = 0.3;

    /// <summary>Strength of input perturbation; null for none.</summary>
    public double? IpNoiseGamma { get; init; }

    /// <summary>Whether that strength was random.</summary>
    public bool IpNoiseGammaRandomStrength { get; init; }

    /// <summary>Whether the schedule was corrected to end in pure noise.</summary>
    public bool ZeroTerminalSnr { get; init; }

    /// <summary>The limit of min-SNR weighting; null for none.</summary>
    public double? MinSnrGamma { get; init; }

    /// <summary>Whether the loss was weighted by the debiased estimation.</summary>
    public bool DebiasedEstimation { get; init; }

    /// <summary>Weight of regularisation images.</summary>
    public double PriorLossWeight { get; init; } = 1;

    /// <summary><c>l2</c>, <c>l1</c>, <c>huber</c> or <c>smooth_l1</c>.</summary>
    public string LossType { get; init; } = "l2";

    /// <summary>How the Huber threshold depends on the timestep.</summary>
    public string HuberSchedule { get; init; } = "snr";

    /// <summary>Factor of the Huber threshold.</summary>
    public double HuberScale { get; init; } = 1;

    /// <summary>The Huber threshold.</summary>
    public double HuberC { get; init; } = 0.1;

    internal IEnumerable<(string Key, object? Value)> Rows() =>
    [
        ("ss_noise_offset", NoiseOffset), ("ss_noise_offset_random_strength", NoiseOffsetRandomStrength), 
        ("ss_adaptive_noise_scale", AdaptiveNoiseScale),
        ("ss_multires_noise_iterations", MultiresNoiseIterations), ("ss_multires_noise_discount", MultiresNoiseDiscount),
        ("ss_ip_noise_gamma", IpNoiseGamma), ("ss_ip_noise_gamma_random_strength", IpNoiseGammaRandomStrength), 
        ("ss_zero_terminal_snr", ZeroTerminalSnr),
        ("ss_min_snr_gamma", MinSnrGamma), ("ss_debiased_estimation", DebiasedEstimation), ("ss_prior_loss_weight", PriorLossWeight),
        ("ss_loss_type", LossType), ("ss_huber_schedule", HuberSchedule), ("ss_huber_scale", HuberScale), ("ss_huber_c", HuberC),
    ];
}

/// <summary>What files say about what was left out of captions, and about validation.</summary>
internal sealed record CaptionFacts
{
    /// <summary>Part of the captions left out.</summary>
    public double DropoutRate { get; init; }

    /// <summary>Every how many epochs all captions were left out; 0 for never.</summary>
    public int DropoutEveryEpochs { get; init; }

    /// <summary>Part of the tags left out.</summary>
    public double TagDropoutRate { get; init; }

    /// <summary>Range of face crops, as the user wrote it; null for none.</summary>
    public string? FaceCropRange { get; init; }

    /// <summary>Part of the images held out for validation.</summary>
    public double ValidationSplit { get; init; }

    /// <summary>Seed of that choice; null for the run's.</summary>
    public long? ValidationSeed { get; init; }

    /// <summary>Every how many epochs validation ran; null for never.</summary>
    public int? ValidateEveryEpochs { get; init; }

    /// <summary>Every how many steps validation ran; null for never.</summary>
    public int? ValidateEverySteps { get; init; }

    /// <summary>Steps of one validation at most; null for all.</summary>
    public int? MaxValidationSteps { get; init; }

    internal IEnumerable<(string Key, object? Value)> Rows() =>
    [
        ("ss_caption_dropout_rate", DropoutRate), ("ss_caption_dropout_every_n_epochs", DropoutEveryEpochs),
        ("ss_caption_tag_dropout_rate", TagDropoutRate),
        ("ss_face_crop_aug_range", FaceCropRange), ("ss_validation_split", ValidationSplit), ("ss_validation_seed", ValidationSeed),
        ("ss_validate_every_n_epochs", ValidateEveryEpochs), ("ss_validate_every_n_steps", ValidateEverySteps),
        ("ss_max_validation_steps", MaxValidationSteps),
    ];
}

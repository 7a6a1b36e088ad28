namespace StableTune.Models;

/// <summary>What a model is put together from; what is null is done without.</summary>
public sealed record ModelComponents
{
    /// <summary>The denoiser.</summary>
    public UNet2DConditionModel? UNet { get; init; }

    /// <summary>The autoencoder between images and latents.</summary>
    public AutoencoderKL? Vae { get; init; }

    /// <summary>The text encoder; of SDXL the first.</summary>
    public TextModel? TextEncoder { get; init; }

    /// <summary>SDXL's second text encoder.</summary>
    public ClipTextModel? TextEncoder2 { get; init; }

    /// <summary>The text encoder's tokenizer.</summary>
    public ITextTokenizer? Tokenizer { get; init; }

    /// <summary>The second text encoder's tokenizer.</summary>
    public ITextTokenizer? Tokenizer2 { get; init; }

    /// <summary>Noise schedule and prediction type. Default SD 1.x's.</summary>
    public SchedulerOptions Scheduler { get; init; } = SchedulerOptions.Sd15;
}

namespace StableTune.Models;

/// <summary>A Stable Diffusion model (1.x or 2.x): its parts, and what its configuration says. Owns the parts.</summary>
/// <remarks>Loaded parts are frozen and in evaluation mode; whoever trains one changes that. Parts can be released one by one when they are done with.</remarks>
public sealed class StableDiffusionModel : IDisposable
{
    private UNet2DConditionModel? _unet;
    private AutoencoderKL? _vae;
    private ClipTextModel? _textEncoder;
    private readonly ClipTokenizer? _tokenizer;

    /// <summary>Puts a model together; takes over the parts.</summary>
    /// <param name="unet">The denoiser; null to do without.</param>
    /// <param name="vae">The autoencoder; null to do without.</param>
    /// <param name="textEncoder">The text encoder; null to do without.</param>
    /// <param name="tokenizer">Its tokenizer; null to do without.</param>
    /// <param name="scheduler">Noise schedule and prediction type; null for SD 1.x's.</param>
    public StableDiffusionModel(
        UNet2DConditionModel? unet, AutoencoderKL? vae, ClipTextModel? textEncoder, ClipTokenizer? tokenizer, SchedulerOptions? scheduler = null)
    {
        (_unet, _vae, _textEncoder, _tokenizer) = (unet, vae, textEncoder, tokenizer);
        Scheduler = scheduler ?? SchedulerOptions.Sd15;
    }

    /// <summary>The denoiser.</summary>
    /// <exception cref="InvalidOperationException">It was not loaded, or has been released.</exception>
    public UNet2DConditionModel UNet => _unet ?? throw Absent("UNet", nameof(ModelParts.UNet));

    /// <summary>The autoencoder between images and latents.</summary>
    /// <exception cref="InvalidOperationException">It was not loaded, or has been released.</exception>
    public AutoencoderKL Vae => _vae ?? throw Absent("VAE", nameof(ModelParts.Vae));

    /// <summary>The text encoder.</summary>
    /// <exception cref="InvalidOperationException">It was not loaded, or has been released.</exception>
    public ClipTextModel TextEncoder => _textEncoder ?? throw Absent("text encoder", nameof(ModelParts.TextEncoder));

    /// <summary>The text encoder's tokenizer; stays when the text encoder is released.</summary>
    /// <exception cref="InvalidOperationException">The text encoder was not loaded.</exception>
    public ClipTokenizer Tokenizer => _tokenizer ?? throw Absent("tokenizer", nameof(ModelParts.TextEncoder));

    /// <summary>Noise schedule and prediction type.</summary>
    public SchedulerOptions Scheduler { get; }

    /// <summary>The parts that are there.</summary>
    public ModelParts Parts =>
        (_unet is null ? 0 : ModelParts.UNet) | (_vae is null ? 0 : ModelParts.Vae) | (_textEncoder is null ? 0 : ModelParts.TextEncoder);

    /// <summary>Where the parts' weights lie; the CPU when there are no parts.</summary>
    public Device Device => (new nn.Module?[] { _unet, _textEncoder, _vae }).OfType<nn.Module>().FirstOrDefault()?.parameters().First().device ?? CPU;

    /// <summary>Where the model was loaded from; null when it was put together.</summary>
    public string? Path { get; init; }

    /// <summary>What <c>ss_base_model_version</c> says of adapters trained on this model: "sd_v1", "sd_v2" or "sd_v2_v".</summary>
    public string BaseModelVersion { get; init; } = "sd_v1";

    /// <summary>Frees the UNet's memory.</summary>
    public void ReleaseUNet() => Release(ref _unet);

    /// <summary>Frees the VAE's memory.</summary>
    public void ReleaseVae() => Release(ref _vae);

    /// <summary>Frees the text encoder's memory.</summary>
    public void ReleaseTextEncoder() => Release(ref _textEncoder);

    /// <summary>Frees all parts.</summary>
    public void Dispose()
    {
        ReleaseUNet();
        ReleaseVae();
        ReleaseTextEncoder();
    }

    private static void Release<T>(ref T? part) where T : class, IDisposable
    {
        part?.Dispose();
        part = null;
    }

    private static InvalidOperationException Absent(string what, string part) =>
        new($"The model's {what} was not loaded, or has been released. Load with ModelParts.{part}, and release it when it is no longer needed.");
}

namespace StableTune.Models;

/// <summary>A Stable Diffusion model (1.x, 2.x or XL): its parts, and what its configuration says. Owns the parts.</summary>
/// <remarks>Loaded parts are frozen and in evaluation mode; whoever trains one changes that. Parts can be released one by one when they
/// are done with.</remarks>
public sealed class StableDiffusionModel : IDisposable
{
    private UNet2DConditionModel? _unet;
    private AutoencoderKL? _vae;
    private TextModel? _textEncoder;
    private ClipTextModel? _textEncoder2;
    private ITextTokenizer? _tokenizer, _tokenizer2;
    private readonly ModelVersion _version;
    private SchedulerOptions _scheduler;

    /// <summary>Puts a model together; takes over the parts.</summary>
    public StableDiffusionModel(ModelComponents components)
    {
        ArgumentNullException.ThrowIfNull(components);
        (_unet, _vae, _textEncoder, _textEncoder2) = (components.UNet, components.Vae, components.TextEncoder, components.TextEncoder2);
        (_tokenizer, _tokenizer2, _scheduler) = (components.Tokenizer, components.Tokenizer2, components.Scheduler);
        _version = _textEncoder2 is not null || _unet is { Options.TakesAddedConditions: true } ? ModelVersion.Sdxl
            : _unet is { Options.UseLinearProjection: true } ? ModelVersion.Sd2 : ModelVersion.Sd1;
    }

    /// <summary>The denoiser.</summary>
    /// <exception cref="InvalidOperationException">It was not loaded, or has been released.</exception>
    public UNet2DConditionModel UNet => _unet ?? throw Absent("UNet", nameof(ModelParts.UNet));

    /// <summary>The autoencoder between images and latents.</summary>
    /// <exception cref="InvalidOperationException">It was not loaded, or has been released.</exception>
    public AutoencoderKL Vae => _vae ?? throw Absent("VAE", nameof(ModelParts.Vae));

    /// <summary>The text encoder; of SDXL the first.</summary>
    /// <exception cref="InvalidOperationException">It was not loaded, or has been released.</exception>
    public TextModel TextEncoder => _textEncoder ?? throw Absent("text encoder", nameof(ModelParts.TextEncoder));

    /// <summary>SDXL's second text encoder; see <see cref="HasTextEncoder2"/>.</summary>
    /// <exception cref="InvalidOperationException">The model has none, or it was not loaded, or has been released.</exception>
    public ClipTextModel TextEncoder2 => _textEncoder2 ?? throw Absent("second text encoder", nameof(ModelParts.TextEncoder));

    /// <summary>Whether there is a second text encoder now.</summary>
    public bool HasTextEncoder2 => _textEncoder2 is not null;

    /// <summary>The text encoders that are there now: none, one, or SDXL's two in their order.</summary>
    public IReadOnlyList<TextModel> TextEncoders => [.. new[] { _textEncoder, _textEncoder2 }.OfType<TextModel>()];

    /// <summary>The text encoder's tokenizer; stays when the text encoder is released. Can be replaced by one that knows more
    /// words.</summary>
    /// <exception cref="InvalidOperationException">The text encoder was not loaded.</exception>
    public ITextTokenizer Tokenizer
    {
        get => _tokenizer ?? throw Absent("tokenizer", nameof(ModelParts.TextEncoder));
        set => _tokenizer = value ?? throw new ArgumentNullException(nameof(value));
    }

    /// <summary>The second text encoder's tokenizer; as <see cref="Tokenizer"/>.</summary>
    /// <exception cref="InvalidOperationException">The model has no second text encoder, or it was not loaded.</exception>
    public ITextTokenizer Tokenizer2
    {
        get => _tokenizer2 ?? throw Absent("second tokenizer", nameof(ModelParts.TextEncoder));
        set => _tokenizer2 = value ?? throw new ArgumentNullException(nameof(value));
    }

    /// <summary>Words that textual inversion added to the text encoders.</summary>
    internal List<AddedWord> Words { get; } = [];

    /// <summary>Noise schedule and prediction type. May be set for a model that is trained for another schedule: pipelines made
    /// afterwards draw by it, and it is saved with the model.</summary>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    public SchedulerOptions Scheduler
    {
        get => _scheduler;
        set
        {
            ArgumentNullException.ThrowIfNull(value);
            InvalidOptionsException.ThrowIfAny(value.Validate());
            _scheduler = value;
        }
    }

    /// <summary>The parts that are there.</summary>
    public ModelParts Parts =>
        (_unet is null ? 0 : ModelParts.UNet) | (_vae is null ? 0 : ModelParts.Vae) | (_textEncoder is null ? 0 : ModelParts.TextEncoder);

    /// <summary>Where the parts' weights lie; the CPU when there are no parts.</summary>
    public Device Device => (new nn.Module?[] { _unet, _textEncoder, _vae }).OfType<nn.Module>().FirstOrDefault()?.parameters()
        .First().device ?? CPU;

    /// <summary>Where the model was loaded from; null when it was put together.</summary>
    public string? Path { get; init; }

    /// <summary>What <c>ss_base_model_version</c> says of adapters trained on this model: "sd_v1", "sd_v2", "sd_v2_v" or
    /// "sdxl_base_v1-0".</summary>
    public string BaseModelVersion => Version.BaseName(Scheduler.Prediction);

    /// <summary>The model's generation: what <see cref="Details"/> says; for a model that was put together what its parts tell.</summary>
    public ModelVersion Version => Details?.Version ?? _version;

    /// <summary>What the model is and how that was known; null when it was put together.</summary>
    public ModelDetails? Details { get; init; }

    /// <summary>Frees the UNet's memory.</summary>
    public void ReleaseUNet() => Release(ref _unet);

    /// <summary>Frees the VAE's memory.</summary>
    public void ReleaseVae() => Release(ref _vae);

    /// <summary>Frees the memory of the text encoder, of SDXL both.</summary>
    public void ReleaseTextEncoder()
    {
        foreach (var word in Words.ToArray()) word.Dispose();
        Release(ref _textEncoder);
        Release(ref _textEncoder2);
    }

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
        new($"The model's {what} was not loaded, or has been released. Load with ModelParts.{part}, and release it when it is no longer "
            + $"needed.");
}

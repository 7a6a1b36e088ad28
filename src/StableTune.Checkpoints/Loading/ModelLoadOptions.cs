using Microsoft.Extensions.Logging;
using StableTune.Checkpoints;
using StableTune.Models;
using StableTune.Tensors;

namespace StableTune;

/// <summary>How a model is loaded.</summary>
public sealed record ModelLoadOptions : OptionsBase
{
    private static readonly ScalarType[] WeightTypes = [ScalarType.Float32, ScalarType.BFloat16, ScalarType.Float16, ScalarType.Float64];

    /// <summary>The type that weights are held in, whatever the files have, and so the type that frozen parts compute in. Default
    /// float32.</summary>
    public ScalarType WeightType { get; init; } = ScalarType.Float32;

    /// <summary>Another type for the UNet; null for <see cref="WeightType"/>.</summary>
    public ScalarType? UNetType { get; init; }

    /// <summary>Another type for the text encoders; null for <see cref="WeightType"/>.</summary>
    public ScalarType? TextEncoderType { get; init; }

    /// <summary>Another type for the VAE; null for <see cref="WeightType"/>. Some VAEs overflow in float16.</summary>
    public ScalarType? VaeType { get; init; }

    /// <summary>
    /// Whether every weight keeps the type it is stored in, for looking at models and for writing them again; the other types count for
    /// nothing then.
    /// Weights of one part may have several types, which cannot be computed with.
    /// </summary>
    public bool KeepStoredTypes { get; init; }

    /// <summary>Where the weights shall lie; null for the CPU.</summary>
    public Device? Device { get; init; }

    /// <summary>The parts to load; the others cost neither time nor memory.</summary>
    public ModelParts Parts { get; init; } = ModelParts.All;

    /// <summary>What the model must be; another one is an error. Default: whatever it is. (<c>v2</c> of sd-scripts)</summary>
    public ModelVersion Version { get; init; }

    /// <summary>What the model predicts, where its configuration is wrong or says nothing. Default: what it says.
    /// (<c>v_parameterization</c> of sd-scripts)</summary>
    public ModelPrediction Prediction { get; init; }

    /// <summary>
    /// Another VAE instead of the model's own, as a path or a name on the hub: a file of a VAE or of a whole model, the folder of a VAE,
    /// or that of a model. Null for none.
    /// </summary>
    public string? VaePath { get; init; }

    /// <summary>
    /// A folder with <c>vocab.json</c> and <c>merges.txt</c> (or <c>tokenizer.json</c>), or one with folders <c>tokenizer</c> and
    /// <c>tokenizer_2</c>, or a name on the hub such as "openai/clip-vit-large-patch14", instead of the model's own tokenizer, which
    /// single files do not have: for those the published one is built in. Null for none. (<c>tokenizer_name</c> of ppdiffusers)
    /// </summary>
    public string? TokenizerPath { get; init; }

    /// <summary>
    /// A folder that keeps tokenizers which are not the model's own, each in a folder of its name with "_" for "/"
    /// ("openai_clip-vit-large-patch14"): what is there is taken from there, what is not is put there. Null for none.
    /// (<c>tokenizer_cache_dir</c> of sd-scripts)
    /// </summary>
    public string? TokenizerCacheFolder { get; init; }

    /// <summary>
    /// For single files: a <c>.yaml</c> of the original form, or a folder of configurations in diffusers' layout, each taken where it is
    /// there (<c>unet/config.json</c>, <c>scheduler/scheduler_config.json</c>, <c>tokenizer</c> ...). Null for the <c>.yaml</c> beside the
    /// file, if there is one.
    /// </summary>
    public string? ConfigurationPath { get; init; }

    /// <summary>For single files that hold averaged weights beside those of the last step: which are taken.</summary>
    public EmaWeights Ema { get; init; }

    /// <summary>
    /// The variant of the weights files, such as "fp16" for <c>model.fp16.safetensors</c>; files without it are taken where it is missing.
    /// Null takes the plain files, or "fp16" where only that is there.
    /// </summary>
    public string? Variant { get; init; }

    /// <summary>The branch, tag or commit of a model on the hub whose name has none of its own; null for what <see cref="Hub"/> says, or
    /// "main".</summary>
    public string? Revision { get; init; }

    /// <summary>How the hub is reached for names that are neither files nor folders; null for what the environment says (<c>HF_HOME</c>,
    /// <c>HF_TOKEN</c>, <c>HF_HUB_OFFLINE</c> ...).</summary>
    public HubOptions? Hub { get; init; }

    /// <summary>Told what the model is, what is worth knowing of it, and of downloads; null for nobody.</summary>
    public ILogger? Logger { get; init; }

    /// <summary>
    /// Whether weights on the CPU are copied into memory or stay in the mapped file where their type is the file's; see
    /// <see cref="WeightStorage"/>. Default: mapped, but not on Windows, nor by a run on a CPU that has room.
    /// The file must not be shortened while the model lives; replacing it (as every save here does) is safe.
    /// </summary>
    public WeightStorage Storage { get; init; } = WeightStorage.Automatic;

    /// <summary>
    /// Whether every weight is looked at: one that is NaN or infinite, which would ruin all that is computed, is then an error that names
    /// the tensor. They are looked at while they are read; without it, weights of a mapped file are read when they are first used.
    /// Default true.
    /// </summary>
    public bool CheckNumbers { get; init; } = true;

    /// <summary>
    /// Told how far loading is, in megabytes, as stage "loading", from several threads; the first report has as its item what the model
    /// is. Before that of downloads, as
    /// stage "downloading".
    /// </summary>
    public IProgress<WorkProgress>? Progress { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var (option, type) in new[] { (nameof(WeightType), (ScalarType?)WeightType), (nameof(UNetType), UNetType),
            (nameof(TextEncoderType), TextEncoderType), (nameof(VaeType), VaeType) })
            if (type is { } wanted && !WeightTypes.Contains(wanted))
                yield return Problem(wanted.ToString(), "weights are floating-point numbers", "use Float32 or BFloat16", option);
        if (Device is { } device && !NativeBackend.HasDevice(device, out var missing))
            yield return Problem(device.ToString(), missing.TrimEnd('.'), "leave it unset for the CPU", nameof(Device));
        foreach (var problem in Hub?.Validate() ?? []) yield return problem;
        if (Revision is { } revision && new HubOptions { Revision = revision }.Validate().FirstOrDefault() is { } fault)
            yield return fault with { Option = $"{nameof(ModelLoadOptions)}.{nameof(Revision)}" };
        if (!Enum.IsDefined(Version)) yield return Problem(Version, "there is no such version", "use ModelVersion.Auto");
        if (!Enum.IsDefined(Ema)) yield return Problem(Ema, "there is no such choice", "use EmaWeights.Ignore");
        if (VaePath is { } vae && string.IsNullOrWhiteSpace(vae))
            yield return Problem(VaePath, "this names no VAE", "give a file or folder, or null for the model's own");
        if (TokenizerPath is { } tokenizer && !Directory.Exists(tokenizer)
            && (StableTune.Hub.HubName.LooksLikePath(tokenizer) || !StableTune.Hub.HubName.TryParse(tokenizer, out _, out _)))
            yield return Problem(TokenizerPath, "there is no such folder, and it is no name on the hub",
                "give a folder with vocab.json and merges.txt, a name such as \"owner/name\", or null");
        if (TokenizerCacheFolder is { } kept && !AtomicFile.CanWriteInto(kept, out var reason))
            yield return Problem(TokenizerCacheFolder, $"the folder cannot be written to ({reason.TrimEnd('.')})", "give another, or null");
        if (ConfigurationPath is { } configuration
            && !(IsYaml(configuration) ? File.Exists(configuration) : Directory.Exists(configuration)))
            yield return Problem(ConfigurationPath, "there is no such .yaml file or folder",
                "give the model's .yaml or a folder of configurations, or null");
        if (!Enum.IsDefined(Prediction)) yield return Problem(Prediction, "there is no such prediction", "use ModelPrediction.Auto");
        if ((Parts & ModelParts.All) == 0)
            yield return Problem(Parts.ToString(), "there is nothing to load", "use ModelParts.All", nameof(Parts));
        if (Variant is { } name && (name.Length == 0 || name.AsSpan().IndexOfAny("/\\.") >= 0))
            yield return Problem(Variant, "a variant is a part of a file's name", "use \"fp16\", or null for none");
    }

    /// <summary>Whether models may be downloaded from the hub; checks look into its cache only.</summary>
    internal bool MayDownload { get; init; } = true;

    /// <summary>Whether a path of configurations is that of a file.</summary>
    internal static bool IsYaml(string path) => Path.GetExtension(path).ToUpperInvariant() is ".YAML" or ".YML";

    /// <summary>The type for a part of the model.</summary>
    internal ScalarType TypeOf(string part) => part switch
    {
        ModelPart.UNet => UNetType ?? WeightType,
        ModelPart.Vae => VaeType ?? WeightType,
        _ => TextEncoderType ?? WeightType,
    };
}

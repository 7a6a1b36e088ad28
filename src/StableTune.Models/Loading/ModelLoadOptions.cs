using StableTune.Models;
using StableTune.Weights;

namespace StableTune;

/// <summary>How a model is loaded.</summary>
public sealed record ModelLoadOptions : OptionsBase
{
    private static readonly ScalarType[] WeightTypes = [ScalarType.Float32, ScalarType.BFloat16, ScalarType.Float16, ScalarType.Float64];

    /// <summary>The type that weights are held in, whatever the files have, and so the type that frozen parts compute in. Default float32.</summary>
    public ScalarType WeightType { get; init; } = ScalarType.Float32;

    /// <summary>Another type for the UNet; null for <see cref="WeightType"/>.</summary>
    public ScalarType? UNetType { get; init; }

    /// <summary>Another type for the text encoders; null for <see cref="WeightType"/>.</summary>
    public ScalarType? TextEncoderType { get; init; }

    /// <summary>Another type for the VAE; null for <see cref="WeightType"/>. Some VAEs overflow in float16.</summary>
    public ScalarType? VaeType { get; init; }

    /// <summary>
    /// Whether every weight keeps the type it is stored in, for looking at models and for writing them again; the other types count for nothing then.
    /// Weights of one part may have several types, which cannot be computed with.
    /// </summary>
    public bool KeepStoredTypes { get; init; }

    /// <summary>Where the weights shall lie; null for the CPU.</summary>
    public Device? Device { get; init; }

    /// <summary>The parts to load; the others cost neither time nor memory.</summary>
    public ModelParts Parts { get; init; } = ModelParts.All;

    /// <summary>What the model must be; another one is an error. Default: whatever it is. (<c>v2</c> of sd-scripts)</summary>
    public ModelVersion Version { get; init; }

    /// <summary>What the model predicts, where its configuration is wrong or says nothing. Default: what it says. (<c>v_parameterization</c> of sd-scripts)</summary>
    public ModelPrediction Prediction { get; init; }

    /// <summary>
    /// The variant of the weights files, such as "fp16" for <c>model.fp16.safetensors</c>; files without it are taken where it is missing.
    /// Null takes the plain files, or "fp16" where only that is there.
    /// </summary>
    public string? Variant { get; init; }

    /// <summary>Whether weights are copied into memory or stay in the mapped file where their type is the file's; see <see cref="WeightStorage"/>.</summary>
    public WeightStorage Storage { get; init; } = WeightStorage.Copied;

    /// <summary>Told how far loading is, in megabytes, as stage "loading"; from several threads.</summary>
    public IProgress<TrainingProgress>? Progress { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var (option, type) in new[] { (nameof(WeightType), (ScalarType?)WeightType), (nameof(UNetType), UNetType), (nameof(TextEncoderType), TextEncoderType), (nameof(VaeType), VaeType) })
            if (type is { } wanted && !WeightTypes.Contains(wanted)) yield return Problem(wanted.ToString(), "weights are floating-point numbers", "use Float32 or BFloat16", option);
        if (!Enum.IsDefined(Version)) yield return Problem(Version, "there is no such version", "use ModelVersion.Auto");
        if (!Enum.IsDefined(Prediction)) yield return Problem(Prediction, "there is no such prediction", "use ModelPrediction.Auto");
        if ((Parts & ModelParts.All) == 0) yield return Problem(Parts.ToString(), "there is nothing to load", "use ModelParts.All", nameof(Parts));
        if (Variant is { } name && (name.Length == 0 || name.AsSpan().IndexOfAny("/\\.") >= 0))
            yield return Problem(Variant, "a variant is a part of a file's name", "use \"fp16\", or null for none");
    }

    /// <summary>The type for a part of the model.</summary>
    internal ScalarType TypeOf(string part) => part switch
    {
        ModelPart.UNet => UNetType ?? WeightType,
        ModelPart.Vae => VaeType ?? WeightType,
        _ => TextEncoderType ?? WeightType,
    };
}

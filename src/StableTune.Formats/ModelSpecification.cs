using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace StableTune.Formats;

/// <summary>What a file with a model specification holds.</summary>
public enum SpecifiedContent
{
    /// <summary>A whole model as a single file.</summary>
    Model,

    /// <summary>LoRA or a relative of it.</summary>
    Adapter,

    /// <summary>A textual-inversion embedding.</summary>
    Embedding,
}

/// <summary>
/// The entries of Stability AI's model metadata specification 1.0.1 (<c>modelspec.*</c>), by which web interfaces show what a file is. Null
/// properties are left out. <c>hash_sha256</c> is added when the file is written, see
/// <see cref="SafetensorsWriter.WriteHashed(string, IEnumerable{TensorPayload}, IReadOnlyDictionary{string, string}?)"/>.
/// </summary>
public sealed record ModelSpecification
{
    /// <summary>What all keys begin with.</summary>
    public const string KeyPrefix = "modelspec.";

    private const string LdmImplementation = "https://github.com/Stability-AI/generative-models";

    /// <summary>One row a base model: what adapters' metadata calls it, what the specification calls it, and its usual
    /// resolution.</summary>
    private static readonly Dictionary<string, (string Architecture, string Resolution)> Architectures = new(StringComparer.Ordinal)
    {
        ["sd_v1"] = ("stable-diffusion-v1", "512x512"),
        ["sd_v2"] = ("stable-diffusion-v2-512", "512x512"),
        ["sd_v2_v"] = ("stable-diffusion-v2-768-v", "768x768"),
        ["sdxl_base_v1-0"] = ("stable-diffusion-xl-v1-base", "1024x1024"),
    };

    /// <summary>Whether a base model has a name in the specification.</summary>
    /// <param name="baseModelVersion">As for <see cref="Entries"/>; null for none.</param>
    public static bool Knows([NotNullWhen(true)] string? baseModelVersion) =>
        baseModelVersion is not null && Architectures.ContainsKey(baseModelVersion);

    /// <summary>The file's name for people.</summary>
    public required string Title { get; init; }

    /// <summary>When the file was written, in local time.</summary>
    public required DateTimeOffset Date { get; init; }

    /// <summary>The program that wrote it: <c>StableTune/0.1.0</c>.</summary>
    public required string ImplementationVersion { get; init; }

    /// <summary>Whether the model predicts v; otherwise the noise.</summary>
    public bool PredictsV { get; init; }

    /// <summary>Width and height of training in pixels; null for what is usual for the model.</summary>
    public (int Width, int Height)? Resolution { get; init; }

    /// <summary>The first and last timestep, when a range was set.</summary>
    public (int First, int Last)? TimestepRange { get; init; }

    /// <summary>The text encoder's layer, counted from the last, when set.</summary>
    public int? EncoderLayer { get; init; }

    /// <summary>Who made it.</summary>
    public string? Author { get; init; }

    /// <summary>What it is.</summary>
    public string? Description { get; init; }

    /// <summary>Under which terms it may be used.</summary>
    public string? License { get; init; }

    /// <summary>Words to find it by, separated by commas.</summary>
    public string? Tags { get; init; }

    /// <summary>The files it was merged from.</summary>
    public string? MergedFrom { get; init; }

    /// <summary>How to use it.</summary>
    public string? UsageHint { get; init; }

    /// <summary>The words that call up what was learned.</summary>
    public string? TriggerPhrase { get; init; }

    /// <summary>The preprocessor that makes the model's control images.</summary>
    public string? Preprocessor { get; init; }

    /// <summary>Whether an embedding belongs into the negative prompt.</summary>
    public bool? IsNegativeEmbedding { get; init; }

    /// <summary>The type of the UNet's weights, such as "float16".</summary>
    public string? UNetType { get; init; }

    /// <summary>The type of the VAE's weights.</summary>
    public string? VaeType { get; init; }

    /// <summary>A small picture as a data URL; of a file: <see cref="Thumbnails.Read"/>.</summary>
    public string? Thumbnail { get; init; }

    /// <summary>The entries of a file, keys with <see cref="KeyPrefix"/>.</summary>
    /// <param name="baseModelVersion"><c>sd_v1</c>, <c>sd_v2</c>, <c>sd_v2_v</c> or <c>sdxl_base_v1-0</c>.</param>
    /// <param name="content">What the file holds.</param>
    /// <exception cref="ArgumentException">The version is another.</exception>
    public IReadOnlyDictionary<string, string> Entries(string baseModelVersion, SpecifiedContent content = SpecifiedContent.Model)
    {
        ArgumentNullException.ThrowIfNull(baseModelVersion);
        if (!Architectures.TryGetValue(baseModelVersion, out var model))
            throw new ArgumentException(
                $"The base model version '{baseModelVersion}' is unknown: it must be one of {string.Join(", ", Architectures.Keys)}.",
                nameof(baseModelVersion));
        // SDXL adapters have the names of the single files, the others those of diffusers.
        var named = content != SpecifiedContent.Adapter || baseModelVersion.StartsWith("sdxl", StringComparison.Ordinal);
        var rows = new (string Key, string? Value)[]
        {
            ("sai_model_spec", "1.0.1"),
            ("architecture", model.Architecture + Suffix(content)),
            ("implementation", named ? LdmImplementation : "diffusers"),
            ("implementation_version", ImplementationVersion),
            ("title", Title),
            ("resolution", Resolution is var (width, height) ? string.Create(CultureInfo.InvariantCulture, $"{width}x{height}")
                : model.Resolution),
            ("date", Date.ToString("yyyy-MM-ddTHH:mm:ss", CultureInfo.InvariantCulture)),
            ("prediction_type", PredictsV ? "v" : "epsilon"),
            ("timestep_range", TimestepRange is var (first, last) ? string.Create(CultureInfo.InvariantCulture, $"{first},{last}") : null),
            ("encoder_layer", EncoderLayer?.ToString(CultureInfo.InvariantCulture)),
            ("author", Author), ("description", Description), ("license", License), ("tags", Tags), ("merged_from", MergedFrom),
            ("usage_hint", UsageHint), ("trigger_phrase", TriggerPhrase), ("preprocessor", Preprocessor),
            ("is_negative_embedding", IsNegativeEmbedding is { } negative ? negative ? "True" : "False" : null),
            ("unet_dtype", UNetType), ("vae_dtype", VaeType), ("thumbnail", Thumbnail),
        };
        return rows.Where(row => row.Value is not null).ToDictionary(row => KeyPrefix + row.Key, row => row.Value!, StringComparer.Ordinal);
    }

    private static string Suffix(SpecifiedContent content) => content switch
    {
        SpecifiedContent.Adapter => "/lora",
        SpecifiedContent.Embedding => "/textual-inversion",
        _ => "",
    };
}

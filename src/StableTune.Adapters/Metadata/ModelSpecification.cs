using System.Globalization;

namespace StableTune.Adapters;

/// <summary>
/// The entries of Stability AI's model metadata specification (<c>modelspec.*</c>), by which web interfaces show what a file is. Null
/// properties are left out.
/// </summary>
public sealed record ModelSpecification
{
    private static readonly Dictionary<string, (string Architecture, string Resolution)> Architectures = new(StringComparer.Ordinal)
    {
        ["sd_v1"] = ("stable-diffusion-v1", "512x512"),
        ["sd_v2"] = ("stable-diffusion-v2-512", "512x512"),
        ["sd_v2_v"] = ("stable-diffusion-v2-768-v", "768x768"),
        ["sdxl_base_v1-0"] = ("stable-diffusion-xl-v1-base", "1024x1024"),
    };

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

    /// <summary>A small picture as a data URL.</summary>
    public string? Thumbnail { get; init; }

    /// <summary>The entries of an adapter file.</summary>
    /// <param name="baseModelVersion"><c>sd_v1</c>, <c>sd_v2</c>, <c>sd_v2_v</c> or <c>sdxl_base_v1-0</c>.</param>
    /// <exception cref="ArgumentException">The version is another.</exception>
    internal IEnumerable<(string Key, object? Value)> Rows(string baseModelVersion)
    {
        if (!Architectures.TryGetValue(baseModelVersion, out var model))
            throw new ArgumentException(
                $"The base model version '{baseModelVersion}' is unknown: it must be one of {string.Join(", ", Architectures.Keys)}.",
                nameof(baseModelVersion));
        var rows = new (string Key, string? Value)[]
        {
            ("sai_model_spec", "1.0.1"),
            ("architecture", model.Architecture + "/lora"),
            // SDXL adapters have the names of the single files, the others those of diffusers.
            ("implementation", baseModelVersion.StartsWith("sdxl", StringComparison.Ordinal)
                ? "https://github.com/Stability-AI/generative-models" : "diffusers"),
            ("implementation_version", ImplementationVersion),
            ("title", Title),
            ("resolution", Resolution is var (width, height) ? string.Create(CultureInfo.InvariantCulture, $"{width}x{height}")
                : model.Resolution),
            ("date", Date.ToString("yyyy-MM-ddTHH:mm:ss", CultureInfo.InvariantCulture)),
            ("prediction_type", PredictsV ? "v" : "epsilon"),
            ("timestep_range", TimestepRange is var (first, last) ? string.Create(CultureInfo.InvariantCulture, $"{first},{last}") : null),
            ("encoder_layer", EncoderLayer?.ToString(CultureInfo.InvariantCulture)),
            ("author", Author), ("description", Description), ("license", License), ("tags", Tags), ("merged_from", MergedFrom),
            ("usage_hint", UsageHint), ("trigger_phrase", TriggerPhrase), ("thumbnail", Thumbnail),
        };
        return rows.Where(row => row.Value is not null).Select(row => ("modelspec." + row.Key, (object?)row.Value));
    }
}

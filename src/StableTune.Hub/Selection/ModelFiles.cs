using System.Text.Json;

namespace StableTune.Hub;

/// <summary>
/// Which files of a repository or folder a diffusers model needs: its index, the configuration of its parts, and for each part one form
/// of its weights.
/// Pure: knows names only. What stays out: single-file checkpoints beside the parts, weights for flax, ONNX, OpenVINO and TensorFlow,
/// other variants,
/// folders that the index does not name, and the safety checker's weights.
/// </summary>
public static class ModelFiles
{
    /// <summary>The file that names a model's parts.</summary>
    public const string IndexName = "model_index.json";

    private const string SafetyChecker = "safety_checker";
    private static readonly string[] Endings = [".json", ".model"];
    private static readonly string[] Vocabularies = ["vocab.txt", "merges.txt"];

    /// <summary>The files a model needs, the index first, then configurations, then weights.</summary>
    /// <param name="paths">All files, relative to the model's folder, with '/' between the pieces.</param>
    /// <param name="modelIndex">
    /// The text of <see cref="IndexName"/>; null where there is none: then a folder with <c>config.json</c> and weights is one part alone.
    /// </param>
    /// <param name="variant">The wanted variant of the weights, "fp16" for instance; a part that lacks it is taken without.</param>
    /// <returns>Some of the paths; none when this is no diffusers model.</returns>
    /// <exception cref="FormatException">The index is no JSON object.</exception>
    public static IReadOnlyList<string> Select(IReadOnlyList<string> paths, string? modelIndex, string? variant = null)
    {
        ArgumentNullException.ThrowIfNull(paths);
        if (modelIndex is null)
        {
            var here = Directly(paths, "");
            return IsPart(here) ? [.. Configurations(here), .. Weights(here, variant)] : [];
        }

        List<string> configurations = [], weights = [];
        foreach (var part in Parts(modelIndex))
        {
            var files = Directly(paths, part.Name + "/");
            configurations.AddRange(Configurations(files));
            if (part.Name != SafetyChecker) weights.AddRange(Weights(files, variant));
        }

        return [.. paths.Where(path => path == IndexName), .. configurations, .. weights];
    }

    /// <summary>What a folder lacks to be a complete diffusers model, one line for each part: "unet: weights"; empty when nothing is
    /// missing.</summary>
    /// <param name="paths">The files that are there, relative to the model's folder.</param>
    /// <param name="modelIndex">The text of <see cref="IndexName"/>; null where there is none.</param>
    /// <exception cref="FormatException">The index is no JSON object.</exception>
    public static IReadOnlyList<string> Missing(IReadOnlyList<string> paths, string? modelIndex)
    {
        ArgumentNullException.ThrowIfNull(paths);
        if (modelIndex is not null)
            return Parts(modelIndex).SelectMany(part => MissingOf(part, Directly(paths, part.Name + "/"))).ToArray();
        var here = Directly(paths, "");
        return IsPart(here) ? MissingWeights("", here) : [$"{IndexName} (or config.json with weights beside it)"];
    }

    /// <summary>Whether every part's weights are there in the wanted variant, so that nobody needs to be asked for it.</summary>
    internal static bool HasVariant(IReadOnlyList<string> paths, string? modelIndex, string? variant)
    {
        if (variant is null) return true;
        var folders = modelIndex is null ? [""] : Parts(modelIndex).Where(part => NeedsWeights(part)).Select(part => part.Name + "/");
        return folders.All(folder => WeightForm.Best(WeightForm.In(Directly(paths, folder)), variant)?.Variant == variant);
    }

    private static IEnumerable<string> MissingOf(Part part, IReadOnlyList<string> files)
    {
        var names = files.Select(path => path[(path.LastIndexOf('/') + 1)..]).ToHashSet();
        if (part.IsTokenizer)
        {
            var known = names.Contains("tokenizer.json") || names.Contains("vocab.txt")
                || names.Any(n => n.EndsWith(".model", StringComparison.Ordinal))
                || (names.Contains("vocab.json") && names.Contains("merges.txt"));
            return known ? [] : [$"{part.Name}: vocabulary"];
        }

        if (part.IsScheduler) return names.Contains("scheduler_config.json") ? [] : [$"{part.Name}: scheduler_config.json"];
        if (!NeedsWeights(part)) return [];
        return names.Contains("config.json") ? MissingWeights(part.Name + ": ", files) : [$"{part.Name}: config.json"];
    }

    private static IReadOnlyList<string> MissingWeights(string before, IReadOnlyList<string> files)
    {
        // Whoever put them there chose the variant: any complete form will do.
        var forms = WeightForm.In(files);
        if (forms.Any(form => form.IsComplete)) return [];
        return forms.FirstOrDefault() is { } some ? [$"{before}{some.Lacking} shard(s) of the weights"] : [$"{before}weights"];
    }

    private static bool IsPart(IReadOnlyList<string> files) => files.Contains("config.json") && WeightForm.In(files).Count > 0;

    private static bool NeedsWeights(Part part) =>
        part.Name != SafetyChecker && !part.IsTokenizer && !part.IsScheduler && !part.IsProcessor;

    private static IEnumerable<string> Weights(IReadOnlyList<string> files, string? variant) =>
        WeightForm.Best(WeightForm.In(files), variant)?.Files.Order(StringComparer.Ordinal) ?? Enumerable.Empty<string>();

    private static IEnumerable<string> Configurations(IReadOnlyList<string> files) => files.Where(path =>
    {
        var name = path[(path.LastIndexOf('/') + 1)..];
        return !WeightForm.IsWeights(name) && name != IndexName
            && (Vocabularies.Contains(name) || Endings.Any(ending => name.EndsWith(ending, StringComparison.Ordinal)));
    });

    private static string[] Directly(IReadOnlyList<string> paths, string folder) => paths
        .Where(path => path.StartsWith(folder, StringComparison.Ordinal) && path.IndexOf('/', folder.Length) < 0).ToArray();

    /// <summary>The parts that an index names: <c>"unet": ["diffusers", "UNet2DConditionModel"]</c>; parts of <c>[null, null]</c> are
    /// left out.</summary>
    private static List<Part> Parts(string modelIndex)
    {
        try
        {
            using var document = JsonDocument.Parse(modelIndex);
            if (document.RootElement.ValueKind != JsonValueKind.Object) throw new FormatException($"{IndexName} is no JSON object.");
            return document.RootElement.EnumerateObject()
                .Where(p => !p.Name.StartsWith('_') && p.Value.ValueKind == JsonValueKind.Array && p.Value.GetArrayLength() == 2)
                .Where(p => p.Value[1].ValueKind == JsonValueKind.String)
                .Select(p => new Part(p.Name, p.Value[1].GetString()!)).ToList();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)   // the latter: text with half a surrogate pair
        {
            throw new FormatException($"{IndexName} is no JSON: {e.Message}", e);
        }
    }

    private sealed record Part(string Name, string Class)
    {
        public bool IsTokenizer => Class.Contains("Tokenizer", StringComparison.Ordinal);

        public bool IsScheduler => Class.EndsWith("Scheduler", StringComparison.Ordinal);

        public bool IsProcessor => Class.EndsWith("Processor", StringComparison.Ordinal)
            || Class.EndsWith("FeatureExtractor", StringComparison.Ordinal);
    }
}

using StableTune.Formats;

namespace StableTune.Adapters;

/// <summary>What files of the tools say about themselves, in sd-scripts' entries.</summary>
internal static class ToolMetadata
{
    /// <summary>What programs need to use a LoRA (<c>build_minimum_network_metadata</c> of sd-scripts).</summary>
    /// <param name="v2">Whether the base model is SD 2.x, as Python writes it; null when it is not known.</param>
    /// <param name="baseModel">The base model; null when it is not known.</param>
    /// <param name="dim">The rank, or "Dynamic".</param>
    /// <param name="alpha">The alpha, or "Dynamic".</param>
    /// <param name="arguments">Further arguments; null for none.</param>
    public static Dictionary<string, string> Minimum(
        string? v2, string? baseModel, string dim, string alpha, IReadOnlyDictionary<string, object?>? arguments = null)
    {
        var texts = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["ss_network_module"] = "networks.lora", ["ss_network_dim"] = dim, ["ss_network_alpha"] = alpha,
        };
        if (v2 is not null) texts["ss_v2"] = v2;
        if (baseModel is not null) texts["ss_base_model_version"] = baseModel;
        if (arguments is not null) texts["ss_network_args"] = PythonRepr.Json(arguments.ToDictionary(StringComparer.Ordinal));
        return texts;
    }

    /// <summary>The same of files that are merged: the first that says something counts.</summary>
    public static Dictionary<string, string> Minimum(
        IEnumerable<LoRAFile> files, string dim, string alpha, IReadOnlyDictionary<string, object?>? arguments = null)
    {
        var all = files.ToList();
        return Minimum(all.Select(file => file.Metadata.GetValueOrDefault("ss_v2")).FirstOrDefault(text => text is not null),
            all.Select(file => file.BaseModel).FirstOrDefault(text => text is not null), dim, alpha, arguments);
    }

    /// <summary>Adds the <c>modelspec.*</c> entries, as far as the base model is known.</summary>
    /// <param name="texts">What is added to.</param>
    /// <param name="output">The file, for its title.</param>
    /// <param name="options">Whether, title, clock.</param>
    /// <param name="mergedFrom">The titles of the files it was made of; null for none.</param>
    public static Dictionary<string, string> Specified(
        this Dictionary<string, string> texts, string output, AdapterToolOptions options, string? mergedFrom = null)
    {
        if (!options.WriteSpecification) return texts;
        var baseModel = texts.GetValueOrDefault("ss_base_model_version");
        var specification = new ModelSpecification
        {
            Title = options.Title ?? Path.GetFileNameWithoutExtension(output),
            Date = options.Clock.GetLocalNow(),
            ImplementationVersion = $"StableTune/{typeof(ToolMetadata).Assembly.GetName().Version?.ToString(3) ?? "0"}",
            PredictsV = baseModel == "sd_v2_v",
            MergedFrom = mergedFrom,
        };
        if (ModelSpecification.Knows(baseModel))
        {
            foreach (var (key, value) in specification.Entries(baseModel, SpecifiedContent.Adapter)) texts[key] = value;
            return texts;
        }

        // The specification has no name for the base model: then only what does not depend on it is said.
        texts[ModelSpecification.KeyPrefix + "title"] = specification.Title;
        if (mergedFrom is not null) texts[ModelSpecification.KeyPrefix + "merged_from"] = mergedFrom;
        return texts;
    }

    /// <summary>The titles of files as <c>modelspec.merged_from</c> names them: their own, or the files' names.</summary>
    public static string MergedFrom(IEnumerable<(string Path, IReadOnlyDictionary<string, string> Metadata)> files) =>
        string.Join(", ", files.Select(file => file.Metadata.GetValueOrDefault(ModelSpecification.KeyPrefix + "title")
            ?? Path.GetFileNameWithoutExtension(file.Path)));

    /// <summary>A file's metadata without the hashes, which are of the old content.</summary>
    public static Dictionary<string, string> Kept(IReadOnlyDictionary<string, string> metadata) => metadata
        .Where(entry => !entry.Key.StartsWith("sshs_", StringComparison.Ordinal)
            && entry.Key != ModelSpecification.KeyPrefix + "hash_sha256")
        .ToDictionary(StringComparer.Ordinal);

    /// <summary>The one value that all have, as Python writes it; otherwise "Dynamic".</summary>
    public static string OneOrDynamic(IEnumerable<object> values) =>
        values.Distinct().ToList() is [var one] ? PythonRepr.Of(one) : "Dynamic";
}

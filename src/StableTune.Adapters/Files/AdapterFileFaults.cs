using StableTune.Tensors;

namespace StableTune.Adapters;

/// <summary>What is wrong with an adapter file, in words.</summary>
internal static class AdapterFileFaults
{
    private const int MostNames = 20, MostExamples = 3;

    /// <summary>Tensors that decompose a convolution over its kernel.</summary>
    private static readonly string[] Cores = ["lora_mid.weight", "hada_t1", "hada_t2", "lokr_t2"];

    /// <summary>
    /// Adapters may lack a layer only where the model offered has nothing of their part; and some must have one.
    /// </summary>
    /// <param name="file">The file.</param>
    /// <param name="count">The adapters in it.</param>
    /// <param name="missing">Those without a layer.</param>
    /// <param name="layers">The model's layers.</param>
    /// <exception cref="InvalidFileException">The file is for another model; the message shows names of both.</exception>
    public static void CheckFit(
        WeightFile file, int count, IReadOnlyList<(AdapterFileModule Module, AdapterFormat Format)> missing, AdapterLayers layers)
    {
        if (missing.Count < count && missing.All(entry => (entry.Module.Name.Parts & layers.Parts) == 0)) return;
        var kinds = missing.Select(entry => entry.Format.Name).Distinct();
        var namings = missing.Select(entry => entry.Module.Naming).Distinct().ToList();
        var models = layers.All.Select(layer => namings.Contains(AdapterNamings.SdScripts) ? layer.Name : layer.FullPath);
        throw new InvalidFileException(file.Path,
            $"{missing.Count} of its {count} adapters have no layer in this model:\n" +
            string.Concat(missing.Take(MostNames).Select(entry => $"    {entry.Module.Label}\n")) +
            (missing.Count > MostNames ? $"    and {missing.Count - MostNames} more\n" : "") +
            $"They are {string.Join(" and ", kinds)} under the names of " +
            $"{string.Join(" and of ", namings.Select(naming => naming.Name))}; this model's layers are for " +
            $"instance {string.Join(", ", models.Take(MostExamples))}.",
            "The file was made for another model or another part of it: use it with the kind of model that its metadata " +
                "(ss_base_model_version) names.");
    }

    /// <summary>Everything that the file has for the layers must fit them.</summary>
    /// <exception cref="WeightsDoNotFitException">Shapes differ, or tensors are missing.</exception>
    public static void CheckShapes(LoadReport report)
    {
        if (report.IsComplete) return;
        throw new WeightsDoNotFitException(report, report.Mismatched.Count == 0 ? null
            : "The file was made for another kind of model, whose layers have the same names and other sizes: use it with the kind of " +
                "model that its metadata (ss_base_model_version) names.");
    }

    /// <summary>A tensor over a kernel needs a layer with one.</summary>
    /// <exception cref="InvalidFileException">The layer is linear.</exception>
    public static void CheckCore(AdapterModule module, AdaptedLayer layer)
    {
        if (layer.Shape is LinearShape && module.Tensors.Keys.FirstOrDefault(Cores.Contains) is { } core)
            throw module.Fault($"has {core}, {module[core]}, which decomposes a convolution over its kernel (Tucker), but {layer} has none",
                "The file was made for another model, or is damaged.");
    }

    /// <summary>The file is of a kind that cannot be loaded.</summary>
    /// <param name="file">The file.</param>
    /// <param name="formats">The kinds that can.</param>
    /// <param name="kinds">The kinds that it holds beside.</param>
    /// <param name="strange">Names that belong to none.</param>
    /// <param name="names">All its names.</param>
    public static InvalidFileException NotThis(
        WeightFile file, AdapterFormats formats, IReadOnlyList<string> kinds, IReadOnlyList<string> strange, AdapterFileNames names)
    {
        var remedy = $"Give a file of these kinds: {string.Join(", ", formats.All.Select(format => format.Name))}, " +
            "with names like lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight.";
        foreach (var (sign, name) in AdapterFormats.Others)
            if (strange.FirstOrDefault(key => key.Contains(sign, StringComparison.Ordinal)) is { } found)
                return new InvalidFileException(file.Path, $"this is {name}, of which no adapters can be loaded here (it holds '{found}').",
                    remedy);
        if (strange.Count == 0 && names.Embeddings.Count > 0)
            return new InvalidFileException(file.Path, "it holds no adapters, only the embeddings " +
                $"{AdapterFileReport.List(BundledEmbeddings.Words(names.Embeddings))}.", remedy);
        var examples = strange.Count == 0 ? "it holds no tensors"
            : $"it holds for instance {string.Join(", ", strange.Take(MostExamples).Select(name => $"'{name}'"))}";
        return new InvalidFileException(file.Path, kinds.Count == 0 ? $"this is not an adapter file: {examples}."
            : $"beside {string.Join(" and ", kinds)} adapters {examples}, {strange.Count} strange name(s).", remedy);
    }
}

using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Adapters;

/// <summary>The tensors of an adapter file, grouped by adapter.</summary>
/// <param name="Path">The file.</param>
/// <param name="Kind">What kind of adapters it holds.</param>
/// <param name="Modules">By adapter: its tensors by their name within it.</param>
internal sealed record AdapterFileContents(
    string Path, AdapterKind Kind, IReadOnlyDictionary<string, Dictionary<string, TensorInfo>> Modules)
{
    public string KeyPrefix => Kind.KeyPrefix;

    /// <summary>Tells the kind and groups the tensors.</summary>
    /// <exception cref="InvalidFileException">It is no adapter file, or of a kind that cannot be loaded; the message says what
    /// it seems to be.</exception>
    public static AdapterFileContents Read(WeightFile file)
    {
        var kind = AdapterKind.Known.FirstOrDefault(kind => file.Names.Any(name => Split(name) is var (module, part)
            && part != "alpha" && kind.Parts.Contains(part) && module.StartsWith(kind.KeyPrefix + "_", StringComparison.Ordinal)));
        var strange = file.Names.Where(name => kind is null || Split(name) is not var (_, part) || !kind.Parts.Contains(part)).ToList();
        if (kind is null || strange.Count > 0) throw NotThis(file, kind, strange);

        var modules = new OrderedDictionary<string, Dictionary<string, TensorInfo>>(StringComparer.Ordinal);
        foreach (var info in file.Tensors)
        {
            var (module, part) = Split(info.Name)!.Value;
            if (!modules.TryGetValue(module, out var tensors)) modules[module] = tensors = new(StringComparer.Ordinal);
            tensors.Add(part, info);
        }

        return new AdapterFileContents(file.Path, kind, modules);
    }

    /// <summary>Every adapter must have a layer of its name, and its tensors must fit that layer.</summary>
    /// <exception cref="InvalidFileException">Some have none; the message lists them.</exception>
    public void CheckFits(IReadOnlyDictionary<string, AdapterNames.Place> places)
    {
        var strangers = Modules.Keys.Where(name => !places.ContainsKey(name)).ToList();
        if (strangers.Count > 0)
            throw new InvalidFileException(Path,
                $"{strangers.Count} of its {Modules.Count} adapters have no layer in this model:\n" +
                string.Concat(strangers.Take(20).Select(name => $"    {name}\n")) +
                (strangers.Count > 20 ? $"    and {strangers.Count - 20} more\n" : ""),
                "The file was made for another model or another part of it: use it with the kind of model that its metadata (ss_base_model_version) names.");
    }

    private static InvalidFileException NotThis(WeightFile file, AdapterKind? kind, List<string> strange)
    {
        var known = string.Join(", ", AdapterKind.Known.Select(k => k.Name));
        foreach (var (sign, name) in AdapterKind.Others)
            if (strange.Find(key => key.Contains(sign, StringComparison.Ordinal)) is { } found)
                return new InvalidFileException(file.Path, $"this is {name}, of which no adapters can be loaded here (it holds '{found}').",
                    $"Give a file of these kinds: {known}, with names like lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight.");
        var examples = strange.Count == 0 ? "it holds no tensors"
            : $"it holds for instance {string.Join(", ", strange.Take(3).Select(name => $"'{name}'"))}";
        return new InvalidFileException(file.Path, kind is null ? $"this is not an adapter file: {examples}."
            : $"beside {kind.Name} adapters {examples}, {strange.Count} strange name(s).",
            $"Give a file of these kinds: {known}, with names like lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight.");
    }

    /// <summary>The adapter's name ends at the first dot: paths are written with underscores.</summary>
    private static (string Module, string Part)? Split(string name) =>
        name.IndexOf('.', StringComparison.Ordinal) is > 0 and var dot ? (name[..dot], name[(dot + 1)..]) : null;
}

using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Adapters;

/// <summary>The tensors of an adapter file, grouped by adapter.</summary>
/// <param name="Path">The file.</param>
/// <param name="Modules">By the adapter's name: its kind, and the options that make it.</param>
internal sealed record AdapterFileContents(string Path, IReadOnlyDictionary<string, (AdapterFormat Format, AdapterOptions Options)> Modules)
{
    /// <summary>What the names of the adapters begin with.</summary>
    public IReadOnlyCollection<string> KeyPrefixes => [.. Modules.Values.Select(module => module.Format.KeyPrefix).Distinct()];

    /// <summary>Groups the tensors, and tells each adapter's kind.</summary>
    /// <exception cref="InvalidFileException">It is no adapter file, or of a kind that cannot be loaded; the message says what
    /// it seems to be.</exception>
    public static AdapterFileContents Read(WeightFile file, AdapterFormats formats)
    {
        var (found, strange) = (new List<(AdapterModule Module, AdapterFormat Format)>(), new List<string>());
        foreach (var group in file.Tensors.GroupBy(info => Split(info.Name)?.Module ?? ""))
        {
            if (group.Key.Length == 0)
            {
                strange.AddRange(group.Select(info => info.Name));
                continue;
            }

            var tensors = group.ToDictionary(info => Split(info.Name)!.Value.Part, StringComparer.Ordinal);
            if (formats.For(group.Key, tensors.Keys) is { } format) found.Add((new AdapterModule(file, group.Key, tensors), format));
            else strange.AddRange(Strange(tensors, formats));
        }

        if (found.Count == 0 || strange.Count > 0)
            throw NotThis(file, formats, [.. found.Select(module => module.Format.Name).Distinct()], strange);
        var modules = found.ToDictionary(
            entry => entry.Module.Name, entry => (entry.Format, OptionsFor(entry.Module, entry.Format)), StringComparer.Ordinal);
        return new AdapterFileContents(file.Path, modules);
    }

    /// <summary>Every adapter must have a layer of its name.</summary>
    /// <exception cref="InvalidFileException">Some have none; the message lists them.</exception>
    public void CheckFits(IReadOnlyDictionary<string, AdaptedLayer> layers)
    {
        var strangers = Modules.Keys.Where(name => !layers.ContainsKey(name)).ToList();
        if (strangers.Count > 0)
            throw new InvalidFileException(Path,
                $"{strangers.Count} of its {Modules.Count} adapters have no layer in this model:\n" +
                string.Concat(strangers.Take(20).Select(name => $"    {name}\n")) +
                (strangers.Count > 20 ? $"    and {strangers.Count - 20} more\n" : ""),
                "The file was made for another model or another part of it: use it with the kind of model that its metadata "
                    + "(ss_base_model_version) names.");
    }

    private static AdapterOptions OptionsFor(AdapterModule module, AdapterFormat format)
    {
        if (!format.Required.All(module.Tensors.ContainsKey))
            throw module.Fault($"has only {string.Join(", ", module.Tensors.Keys)}",
                $"A {format.Name} needs {string.Join(", ", format.Required)}: the file is incomplete, save it again.");
        return format.OptionsFor(module);
    }

    /// <summary>The names of a module that no kind knows; all of them, when it mixes kinds.</summary>
    private static IEnumerable<string> Strange(Dictionary<string, TensorInfo> tensors, AdapterFormats formats)
    {
        var unknown = tensors.Where(tensor => !formats.All.Any(format => format.IsKnown(tensor.Key))).Select(tensor => tensor.Value.Name)
            .ToList();
        return unknown.Count > 0 ? unknown : tensors.Values.Select(info => info.Name);
    }

    private static InvalidFileException NotThis(WeightFile file, AdapterFormats formats, string[] kinds, List<string> strange)
    {
        var remedy = $"Give a file of these kinds: {string.Join(", ", formats.All.Select(format => format.Name))}, " +
            "with names like lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight.";
        foreach (var (sign, name) in AdapterFormats.Others)
            if (strange.Find(key => key.Contains(sign, StringComparison.Ordinal)) is { } found)
                return new InvalidFileException(file.Path, $"this is {name}, of which no adapters can be loaded here (it holds '{found}').",
                    remedy);
        var examples = strange.Count == 0 ? "it holds no tensors"
            : $"it holds for instance {string.Join(", ", strange.Take(3).Select(name => $"'{name}'"))}";
        return new InvalidFileException(file.Path, kinds.Length == 0 ? $"this is not an adapter file: {examples}."
            : $"beside {string.Join(" and ", kinds)} adapters {examples}, {strange.Count} strange name(s).", remedy);
    }

    /// <summary>The adapter's name ends at the first dot: paths are written with underscores.</summary>
    private static (string Module, string Part)? Split(string name) =>
        name.IndexOf('.', StringComparison.Ordinal) is > 0 and var dot ? (name[..dot], name[(dot + 1)..]) : null;
}

namespace StableTune.Adapters;

/// <summary>Several LoRA files that are put together, layer by layer.</summary>
internal sealed class LoRAFiles : IDisposable
{
    private readonly List<(LoRAFile File, WeightedAdapter Adapter)> _files = [];

    /// <summary>The files with what is taken of them, in the order given.</summary>
    public IReadOnlyList<(LoRAFile File, WeightedAdapter Adapter)> All => _files;

    /// <summary>What each file has for a layer; by the layers' names, in the order of their first appearance.</summary>
    public OrderedDictionary<string, List<(LoRALayer Layer, WeightedAdapter Adapter)>> Layers { get; } = new(StringComparer.Ordinal);

    /// <summary>Opens the files and looks whether they belong together.</summary>
    /// <exception cref="InvalidFileException">One cannot be read, or is for another model than the first.</exception>
    public static LoRAFiles Open(IReadOnlyList<WeightedAdapter> adapters)
    {
        var files = new LoRAFiles();
        try
        {
            foreach (var adapter in adapters) files.Add(LoRAFile.Open(adapter.Path), adapter);
            return files;
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    /// <summary>Layers that only some of the files have, as a note; none when all have all.</summary>
    public IEnumerable<string> Notes()
    {
        foreach (var (file, _) in _files)
        {
            var own = file.Layers.Select(layer => layer.Name).ToHashSet(StringComparer.Ordinal);
            var missing = Layers.Keys.Where(name => !own.Contains(name)).ToList();
            if (missing.Count > 0)
                yield return $"{file.Path} lacks {missing.Count} of the {Layers.Count} layers, for instance {missing[0]}.";
        }
    }

    /// <summary>Closes all files.</summary>
    public void Dispose() => _files.ForEach(entry => entry.File.Dispose());

    private void Add(LoRAFile file, WeightedAdapter adapter)
    {
        _files.Add((file, adapter));
        var first = _files[0].File;
        if (Family(first.BaseModel) is { } model && Family(file.BaseModel) is { } other && model != other)
            throw new InvalidFileException(file.Path,
                $"it is for {file.BaseModel} (ss_base_model_version), while {first.Path} is for {first.BaseModel}.",
                "Merge adapters of one kind of model only.");
        if (_files.Count > 1) CheckCommon(file, first);
        foreach (var layer in file.Layers)
        {
            if (!Layers.TryGetValue(layer.Name, out var same)) Layers.Add(layer.Name, same = []);
            if (same.Count > 0 && !same[0].Layer.Shape.Equals(layer.Shape))
                throw new InvalidFileException(file.Path,
                    $"'{layer.Name}' changes a weight of {layer.Shape}, while in {same[0].Layer.File.Path} it is {same[0].Layer.Shape}.",
                    "Merge adapters of one kind of model only.");
            same.Add((layer, adapter));
        }
    }

    /// <summary>Two files that both adapt the UNet, say, and no layer of it in common are for different models.</summary>
    private static void CheckCommon(LoRAFile file, LoRAFile first)
    {
        var names = first.Layers.Select(layer => layer.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var part in file.Layers.GroupBy(layer => Part(layer.Name)))
            if (names.Any(name => Part(name) == part.Key) && !part.Any(layer => names.Contains(layer.Name)))
                throw new InvalidFileException(file.Path,
                    $"none of its {part.Count()} layers in '{part.Key}' is among those of {first.Path} (it has '{part.First().Name}').",
                    "The two are for different models: merge adapters of one kind of model only.");
    }

    /// <summary>"lora_unet" or "lora_te1".</summary>
    private static string Part(string name) => string.Join('_', name.Split('_').Take(2));

    /// <summary>SD 2.x with epsilon and with v prediction have the same layers.</summary>
    private static string? Family(string? baseModel) =>
        baseModel?.StartsWith("sd_v2", StringComparison.Ordinal) == true ? "sd_v2" : baseModel;
}

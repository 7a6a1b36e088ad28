namespace StableTune.Adapters;

/// <summary>
/// Layers by all the paths that files may have for them. Paths are compared with underscores, because sd-scripts' names have nothing else
/// and cannot be turned back.
/// </summary>
internal sealed class AdapterLayers
{
    private static readonly AdapterParts[] Order = [AdapterParts.UNet, AdapterParts.TextEncoder1, AdapterParts.TextEncoder2];

    private readonly Dictionary<(AdapterParts Part, string Path), AdaptedLayer> _byPath = [];

    /// <summary>Names the layers.</summary>
    /// <exception cref="InvalidOperationException">Two layers have the same name in files.</exception>
    public AdapterLayers(IEnumerable<AdaptedLayer> layers)
    {
        All = [.. layers];
        foreach (var layer in All)
            foreach (var path in new[] { layer.FilePath, layer.Path }.Distinct())
                if (!_byPath.TryAdd(Key(layer.Part, path), layer))
                    throw LayerSearch.SameName(_byPath[Key(layer.Part, path)], layer, layer.Name);
        // Further paths are guesses: where two layers claim one, the layer whose own it is keeps it.
        foreach (var layer in All)
            foreach (var path in layer.OtherPaths) _byPath.TryAdd(Key(layer.Part, path), layer);
    }

    /// <summary>The layers, in the order in which they were given: the reference's.</summary>
    public IReadOnlyList<AdaptedLayer> All { get; }

    /// <summary>The parts that have layers.</summary>
    public AdapterParts Parts => All.Aggregate(AdapterParts.None, (parts, layer) => parts | layer.Part);

    /// <summary>The layer that a file names; null where there is none.</summary>
    public AdaptedLayer? Find(AdapterTensorName name)
    {
        foreach (var part in Order)
            if ((name.Parts & part) != 0 && _byPath.TryGetValue(Key(part, name.Path), out var layer)) return layer;
        return null;
    }

    private static (AdapterParts, string) Key(AdapterParts part, string path) => (part, path.Replace('.', '_'));
}

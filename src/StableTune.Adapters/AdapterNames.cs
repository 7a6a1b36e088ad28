namespace StableTune.Adapters;

/// <summary>The names of adapters in files.</summary>
internal static class AdapterNames
{
    /// <summary>A layer, the part of the model it lies in, and the names of its adapter; <see cref="OtherName"/> as in <see cref="AttachedAdapter"/>.</summary>
    public sealed record Place(FoundLayer Layer, AdapterParts Part, string Name, string? OtherName);

    /// <summary><c>lora_unet_down_blocks_0_attentions_0_proj_in</c>: the kind's prefix, the part's, and the path with
    /// underscores.</summary>
    public static string Of(string kind, string part, string path) => $"{kind}_{part}_{path.Replace('.', '_')}";

    /// <summary>
    /// Every layer of a model that could have an adapter, by the names it could have. Files are matched with this list, because
    /// a name alone cannot be turned back into a path. Two paths of the same name would make it ambiguous, and are an error.
    /// </summary>
    /// <exception cref="InvalidOperationException">Two layers have the same name.</exception>
    public static OrderedDictionary<string, Place> Places(AdapterHosts hosts, string kind)
    {
        var places = new OrderedDictionary<string, Place>(StringComparer.Ordinal);
        foreach (var host in hosts.Named())
        {
            foreach (var layer in host.Layers(classes: null))
            {
                var place = new Place(layer, host.Part, host.Name(kind, layer), host.OtherName(kind, layer));
                foreach (var name in new[] { place.Name, place.OtherName }.OfType<string>())
                    if (!places.TryAdd(name, place))
                        throw new InvalidOperationException(
                            $"The layers '{places[name].Layer.Path}' and '{layer.Path}' have the same name in files, '{name}'. Rename one of the modules.");
            }
        }

        return places;
    }
}

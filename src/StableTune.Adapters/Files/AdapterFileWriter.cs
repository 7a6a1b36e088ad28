using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Adapters;

/// <summary>Writes adapters under the names of a scheme, and converts files from one to another.</summary>
internal static class AdapterFileWriter
{
    /// <summary>Metadata that only fits the names of the file it stands in.</summary>
    private static readonly string[] OfNames = [PeftConfig.MetadataKey, "sshs_model_hash", "sshs_legacy_hash"];

    /// <summary>A tensor of an adapter with its bytes.</summary>
    /// <param name="Layer">The adapter's layer.</param>
    /// <param name="Name">Its name within the adapter.</param>
    /// <param name="Payload">Its bytes; the name there does not count.</param>
    public readonly record struct Part(AdaptedLayer Layer, string Name, TensorPayload Payload);

    /// <summary>Writes a network.</summary>
    /// <exception cref="NotSupportedException">The scheme has no names for a kind of adapter, or no place in the file's format.</exception>
    public static void Save(AdapterNetwork network, string path, AdapterNaming naming, IReadOnlyDictionary<string, string>? metadata,
        ScalarType? dtype)
    {
        var parts = from adapter in network.Adapters
            let tensors = adapter.SavedTensors().Select(tensor => (tensor.Key, tensor.Value))
            from payload in StatePayloads.Of(tensors, dtype)
            select new Part(adapter.Layer, payload.Name, payload);
        var scales = network.Adapters.Select(adapter => (adapter.Layer, Tensors: adapter.SavedTensors()))
            .Where(adapter => adapter.Tensors.ContainsKey("lora_down.weight"))
            .Select(adapter => ScaleOf(adapter.Layer, adapter.Tensors["lora_down.weight"].shape[0],
                adapter.Tensors.TryGetValue("alpha", out var alpha) ? alpha.item<float>() : null,
                adapter.Tensors.ContainsKey("dora_scale")));
        Write(path, naming, [.. parts], [.. scales], metadata);
    }

    /// <summary>Writes what a file holds for some layers under other names; numbers stay as they are, unless another type is asked
    /// for.</summary>
    /// <param name="file">The file under the names of this library, see <see cref="AdapterFileView"/>.</param>
    /// <param name="layers">The layers that have adapters.</param>
    /// <param name="path">The file to write.</param>
    /// <param name="naming">The scheme.</param>
    /// <param name="dtype">The type of all tensors; null for each one's own.</param>
    /// <exception cref="NotSupportedException">As for <see cref="Save"/>.</exception>
    public static void Copy(
        AdapterFileView file, IReadOnlyList<AdaptedLayer> layers, string path, AdapterNaming naming, ScalarType? dtype)
    {
        var byName = layers.ToDictionary(layer => layer.Name, StringComparer.Ordinal);
        var (parts, scales) = (new List<Part>(), new List<AdapterScale>());
        var tensors = file.Tensors.ToLookup(info => info.Name[..info.Name.IndexOf('.', StringComparison.Ordinal)]);
        foreach (var module in tensors)
        {
            var layer = byName[module.Key];
            // An alpha that only the metadata says gets the type of its adapter, as in files that have it.
            var type = dtype ?? module.First().DType.ToScalarType();
            foreach (var info in module)
                parts.Add(new Part(layer, info.Name[(module.Key.Length + 1)..],
                    StatePayloads.Of(file, info, file.IsStored(info) ? dtype : type)));
            if (module.FirstOrDefault(info => info.Name == $"{module.Key}.lora_down.weight") is { } down)
                scales.Add(ScaleOf(layer, down.Shape[0], Alpha(file, $"{module.Key}.alpha"),
                    module.Any(info => info.Name == $"{module.Key}.dora_scale")));
        }

        var metadata = file.Metadata.Where(entry => !OfNames.Contains(entry.Key)).ToDictionary();
        Write(path, naming, parts, scales, metadata.Count == 0 ? null : metadata);
    }

    private static void Write(string path, AdapterNaming naming, IReadOnlyList<Part> parts, IReadOnlyList<AdapterScale> scales,
        IReadOnlyDictionary<string, string>? metadata)
    {
        if (!naming.CanWrite)
            throw new NotSupportedException($"Files cannot be written with the names of {naming.Name}: choose " +
                "AdapterNamings.SdScripts or AdapterNamings.Peft.");
        var described = naming.DescribeScales(scales);
        if (described is not null && AdapterFiles.IsTorch(path))
            throw new NotSupportedException($"The names of {naming.Name} need metadata for alphas, which torch files have no place for " +
                $"({path}): end the path in .safetensors, or choose AdapterNamings.SdScripts.");
        List<TensorPayload> tensors = [];
        foreach (var part in parts.Where(part => described is null || part.Name != "alpha"))
        {
            var written = naming.Write(part.Layer, part.Name, part.Payload.Shape) ?? throw new NotSupportedException(
                $"The adapter of '{part.Layer.FullPath}' has {part.Name}, for which {naming.Name} has no name: it cannot express this " +
                "kind of adapter. Choose AdapterNamings.SdScripts.");
            tensors.Add(part.Payload with { Name = written.Name, Shape = written.Shape });
        }

        if (AdapterFiles.IsTorch(path)) TorchWriter.Write(path, tensors);
        else if (described is null) SafetensorsWriter.WriteHashed(path, tensors, metadata);
        else SafetensorsWriter.Write(path, tensors, (metadata ?? new Dictionary<string, string>()).Concat(described)
            .GroupBy(entry => entry.Key).ToDictionary(group => group.Key, group => group.Last().Value));
    }

    /// <summary>No alpha, and 0, mean the rank.</summary>
    private static AdapterScale ScaleOf(AdaptedLayer layer, long rank, float? alpha, bool isDoRA) =>
        new(layer, rank, alpha is { } value and not 0 ? value : rank) { IsDoRA = isDoRA };

    private static float? Alpha(AdapterFileView view, string name)
    {
        if (!view.TryGet(name, out _)) return null;
        using var file = new WeightFile(view);
        using var alpha = file.Load(name, ScalarType.Float32);
        return alpha.item<float>();
    }
}

using System.Globalization;
using System.Text.Json.Nodes;
using StableTune.Formats;

namespace StableTune.Checkpoints;

/// <summary>Writes the weights of one part into its folder: one file, or shards with an index where one would become too large.</summary>
internal static class WeightFiles
{
    // Readers of model folders ask for it.
    private static readonly Dictionary<string, string> TorchFormat = new() { ["format"] = "pt" };

    /// <summary>Writes the files.</summary>
    /// <param name="folder">The part's folder.</param>
    /// <param name="stem">The name without extension, such as "diffusion_pytorch_model".</param>
    /// <param name="format">The kind of folder.</param>
    /// <param name="tensors">The weights.</param>
    /// <param name="options">Variant and limit of size.</param>
    public static void Write(string folder, string stem, ModelFormat format, IReadOnlyList<TensorPayload> tensors, ModelSaveOptions options)
    {
        var extension = format == ModelFormat.Diffusers ? "bin" : "safetensors";
        var named = options.Variant is { } variant ? $"{stem}.{variant}" : stem;
        var shards = Split(tensors, options.MaxShardBytes);
        if (shards.Count == 1)
        {
            WriteOne(Path.Combine(folder, $"{named}.{extension}"), format, shards[0]);
            return;
        }

        var map = new JsonObject();
        for (var i = 0; i < shards.Count; i++)
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"{named}-{i + 1:D5}-of-{shards.Count:D5}.{extension}");
            WriteOne(Path.Combine(folder, name), format, shards[i]);
            foreach (var tensor in shards[i]) map.Add(tensor.Name, name);
        }

        var index = new JsonObject
        {
            ["metadata"] = new JsonObject { ["total_size"] = tensors.Sum(tensor => tensor.ByteCount()) },
            ["weight_map"] = map,
        };
        var suffix = options.Variant is null ? "" : options.Variant + ".";
        AtomicFile.WriteText(Path.Combine(folder, $"{stem}.{extension}.index.{suffix}json"), ConfigJson.Text(index));
    }

    private static void WriteOne(string path, ModelFormat format, IReadOnlyList<TensorPayload> tensors)
    {
        if (format == ModelFormat.Diffusers) TorchWriter.Write(path, tensors, TorchLayout.OrderedDictionary);
        else SafetensorsWriter.Write(path, tensors, TorchFormat);
    }

    /// <summary>In their order, as many tensors a file as the limit allows, and at least one.</summary>
    private static List<List<TensorPayload>> Split(IReadOnlyList<TensorPayload> tensors, long limit)
    {
        var shards = new List<List<TensorPayload>> { new() };
        var size = 0L;
        foreach (var tensor in tensors)
        {
            var bytes = tensor.ByteCount();
            if (shards[^1].Count > 0 && size + bytes > limit)
            {
                shards.Add([]);
                size = 0;
            }

            shards[^1].Add(tensor);
            size += bytes;
        }

        return shards;
    }
}

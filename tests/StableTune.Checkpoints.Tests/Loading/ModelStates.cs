using StableTune.Formats;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests;

/// <summary>Compares and rewrites models in tests of loading.</summary>
internal static class ModelStates
{
    /// <summary>Fails unless both modules have the same weights, bit by bit.</summary>
    public static void AssertSame(nn.Module expected, nn.Module actual)
    {
        var (left, right) = (expected.state_dict(), actual.state_dict());
        Assert.Equal(left.Keys.Order(StringComparer.Ordinal), right.Keys.Order(StringComparer.Ordinal));
        foreach (var (name, tensor) in left) GoldenComparison.AssertClose(name, tensor, right[name], 0);
    }

    /// <summary>Fails unless both models have the same parts with the same weights.</summary>
    public static void AssertSame(StableDiffusionModel expected, StableDiffusionModel actual)
    {
        Assert.Equal(expected.Parts, actual.Parts);
        AssertSame(expected.UNet, actual.UNet);
        AssertSame(expected.Vae, actual.Vae);
        Assert.Equal(expected.TextEncoders.Count, actual.TextEncoders.Count);
        foreach (var (left, right) in expected.TextEncoders.Zip(actual.TextEncoders)) AssertSame(left, right);
    }

    /// <summary>The tensors of a file, held in memory, so that the file can be replaced.</summary>
    public static IReadOnlyList<TensorPayload> Read(string path, Func<string, string>? rename = null)
    {
        using var file = TensorFile.Open(path);
        return
        [
            .. file.Tensors.Select(info =>
            {
                var bytes = new byte[info.ByteCount];
                file.Read(info, bytes);
                return new TensorPayload(rename?.Invoke(info.Name) ?? info.Name, info.DType, info.Shape, stream => stream.Write(bytes));
            }),
        ];
    }

    /// <summary>Writes tensors as several safetensors or torch files with an index, and removes the single one.</summary>
    public static void Shard(string single, string name, string extension, int shards)
    {
        var folder = Path.GetDirectoryName(single)!;
        var tensors = Read(single);
        File.Delete(single);
        var map = new List<string>();
        for (var i = 0; i < shards; i++)
        {
            var file = $"{name}-{i + 1:00000}-of-{shards:00000}.{extension}";
            var part = tensors.Where((_, index) => index % shards == i).ToList();
            if (extension == "bin") TorchWriter.Write(Path.Combine(folder, file), part);
            else SafetensorsWriter.Write(Path.Combine(folder, file), part);
            map.AddRange(part.Select(tensor => $"\"{tensor.Name}\": \"{file}\""));
        }

        File.WriteAllText(Path.Combine(folder, $"{name}.{extension}.index.json"),
            $"{{\"metadata\": {{}}, \"weight_map\": {{{string.Join(", ", map)}}}}}");
    }
}

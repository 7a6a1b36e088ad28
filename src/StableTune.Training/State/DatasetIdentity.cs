using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using StableTune.Data;

namespace StableTune.Training;

/// <summary>What tells a data set from another one: options of the order, and of every image its name, sizes, repeats and a hash of its
/// caption.</summary>
internal static class DatasetIdentity
{
    /// <summary>The data set as JSON; of a run without data set an empty object.</summary>
    public static JsonObject Of(TrainingDataset? dataset)
    {
        if (dataset is null) return [];
        return new JsonObject
        {
            ["batch_size"] = dataset.Options.BatchSize,
            ["batches_per_epoch"] = dataset.BatchesPerEpoch,
            ["images"] = new JsonArray([.. dataset.Samples.Select(sample => (JsonNode)Describe(sample))]),
        };
    }

    /// <summary>A short text that differs where data sets do.</summary>
    public static string HashOf(TrainingDataset? dataset) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Of(dataset).ToJsonString())))[..16];

    /// <summary>One line for each difference, at most twenty and a count.</summary>
    public static IEnumerable<string> Differences(JsonObject now, JsonObject then)
    {
        foreach (var name in new[] { "batch_size", "batches_per_epoch" })
            if (!JsonNode.DeepEquals(now[name], then[name])) yield return $"the data set's {name} is {now[name]}, and was {then[name]}";
        string[] here = [.. Texts(now)], there = [.. Texts(then)];
        if (here.SequenceEqual(there)) yield break;
        var (added, gone) = (here.Except(there).ToArray(), there.Except(here).ToArray());
        foreach (var image in added.Take(10)) yield return $"an image is new or was changed: {image}";
        foreach (var image in gone.Take(10)) yield return $"an image is gone or was changed: {image}";
        if (added.Length > 10 || gone.Length > 10) yield return $"{added.Length} images are new and {gone.Length} are gone in all";
        if (added.Length == 0 && gone.Length == 0) yield return "the images come in another order";
    }

    private static IEnumerable<string> Texts(JsonObject dataset) =>
        (dataset["images"] as JsonArray ?? []).Select(image => image?.ToString() ?? "");

    private static string Describe(TrainingSample sample)
    {
        var caption = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(sample.Caption)))[..16];
        return $"{Path.GetFileName(sample.Path)} {sample.ImageSize} for {sample.Framing.Size}, {sample.Repeats} times, caption {caption}";
    }
}

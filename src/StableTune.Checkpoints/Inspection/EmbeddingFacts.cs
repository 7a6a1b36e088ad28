using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>Describes textual-inversion embeddings.</summary>
internal static class EmbeddingFacts
{
    private static readonly Dictionary<long, ModelVersion> Widths = new() { [768] = ModelVersion.Sd1, [1024] = ModelVersion.Sd2 };

    /// <summary>Describes an embedding file.</summary>
    public static ModelInspection Describe(string path, WeightContents contents)
    {
        var vectors = contents.Tensors.Where(tensor => tensor.Shape.Count is 1 or 2).ToList();
        var tokens = vectors.Count == 0 ? 0 : vectors.Max(tensor => tensor.Shape.Count == 1 ? 1 : tensor.Shape[0]);
        // Extended textual inversion has a tensor for each attention layer.
        var isPerLayer = vectors.Exists(tensor => tensor.Name == "MID");
        var widths = vectors.Select(tensor => tensor.Shape[^1]).Distinct().Order().ToList();
        var of = vectors.Exists(tensor => tensor.Name == "clip_g") ? ModelVersion.Sdxl : widths is [var width]
            && Widths.TryGetValue(width, out var known) ? known : (ModelVersion?)null;
        return new ModelInspection
        {
            Path = path, Kind = ContentKind.Embedding,
            Summary = $"textual inversion embedding of {tokens} token{(tokens == 1 ? "" : "s")}, {string.Join(" and ", widths)} "
                + $"wide{(isPerLayer ? $", for each of {vectors.Count} attention layers" : "")}"
                + $"{(of is { } version ? $", for {version.Words()}" : "")}",
            Parts = [InspectedPart.Of("embedding", null, contents.Tensors)],
        };
    }
}

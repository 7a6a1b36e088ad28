using System.Globalization;
using System.Text;

namespace StableTune;

/// <summary>A layer that a run will train an adapter on.</summary>
/// <param name="Trainable">The name of what is trained: "lora".</param>
/// <param name="Path">The layer's path with its part in front: <c>unet.mid_block.attentions.0.proj_in</c>.</param>
/// <param name="Layer">What the layer is: "Linear 320 to 1280".</param>
/// <param name="Kind">The kind of adapter: "LoRA".</param>
/// <param name="Rank">The rank of the factors; null for kinds without.</param>
/// <param name="Alpha">The alpha; null for kinds without.</param>
/// <param name="Parameters">How many numbers are trained.</param>
/// <param name="LearningRates">The learning rates of its weights, mostly one.</param>
public sealed record PlannedLayer(
    string Trainable, string Path, string Layer, string Kind, int? Rank, double? Alpha, long Parameters,
    IReadOnlyList<double> LearningRates)
{
    /// <summary>The layers as a table for people, with the sums at its end.</summary>
    /// <param name="layers">The layers.</param>
    public static string Table(IReadOnlyList<PlannedLayer> layers)
    {
        ArgumentNullException.ThrowIfNull(layers);
        string[][] rows =
        [
            ["layer", "", "kind", "rank", "alpha", "parameters", "rate"],
            .. layers.Select(layer => new[]
            {
                layer.Path, layer.Layer, layer.Kind, Text(layer.Rank), Text(layer.Alpha), Text(layer.Parameters),
                string.Join(", ", layer.LearningRates.Select(rate => Text(rate))),
            }),
            [$"{layers.Count} layers", "", "", "", "", Text(layers.Sum(layer => layer.Parameters)), ""],
        ];
        var widths = Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(row => row[column].Length)).ToArray();
        var table = new StringBuilder();
        foreach (var row in rows)
            table.AppendLine(string.Join("  ", row.Select((cell, column) =>
                column is 3 or 4 or 5 ? cell.PadLeft(widths[column]) : cell.PadRight(widths[column]))).TrimEnd());
        return table.ToString();
    }

    private static string Text(IFormattable? value) => value?.ToString(null, CultureInfo.InvariantCulture) ?? "";
}

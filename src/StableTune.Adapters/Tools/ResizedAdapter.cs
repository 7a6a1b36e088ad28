using System.Globalization;

namespace StableTune.Adapters;

/// <summary>One layer of an adapter that got another rank.</summary>
/// <param name="Name">The adapter's name: <c>lora_unet_mid_block_attentions_0_proj_in</c>.</param>
/// <param name="OldRank">The rank before.</param>
/// <param name="NewRank">The rank now.</param>
/// <param name="Alpha">The alpha now.</param>
/// <param name="SumRetained">The part of the sum of its singular values that is left, 0 to 1.</param>
/// <param name="FrobeniusRetained">The part of its Frobenius norm that is left, 0 to 1.</param>
/// <param name="LargestRatio">The first singular value divided by the last one that was kept.</param>
public sealed record ResizedLayer(
    string Name, int OldRank, int NewRank, float Alpha, double SumRetained, double FrobeniusRetained, double LargestRatio);

/// <summary>What <see cref="AdapterResizer"/> wrote, and what is left of each layer.</summary>
/// <param name="Saved">The file.</param>
/// <param name="Layers">The layers, in the order of the file.</param>
public sealed record ResizedAdapter(SavedAdapter Saved, IReadOnlyList<ResizedLayer> Layers)
{
    /// <summary>The mean over the layers of what is left of the Frobenius norm, 0 to 1.</summary>
    public double MeanFrobeniusRetained => Layers.Average(layer => layer.FrobeniusRetained);

    /// <summary>The mean over the layers of what is left of the sum of singular values, 0 to 1.</summary>
    public double MeanSumRetained => Layers.Average(layer => layer.SumRetained);

    /// <summary>The standard deviation of what is left of the Frobenius norm.</summary>
    public double FrobeniusDeviation =>
        Math.Sqrt(Layers.Average(layer => Math.Pow(layer.FrobeniusRetained - MeanFrobeniusRetained, 2)));

    /// <summary>A table with a line for each layer, and the means.</summary>
    public override string ToString()
    {
        var width = Math.Max(5, Layers.Max(layer => layer.Name.Length));
        using var text = new StringWriter(CultureInfo.InvariantCulture);
        text.WriteLine($"{"layer".PadRight(width)}  {"old",4} {"new",4}  {"alpha",8}  {"sum",7}  {"norm",7}  {"ratio",8}");
        foreach (var layer in Layers)
            text.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{layer.Name.PadRight(width)}  {layer.OldRank,4} {layer.NewRank,4}  {layer.Alpha,8:0.####}"
                + $"  {100 * layer.SumRetained,6:F1}%  {100 * layer.FrobeniusRetained,6:F1}%  {layer.LargestRatio,8:F1}"));
        text.Write(string.Create(CultureInfo.InvariantCulture,
            $"on average {100 * MeanSumRetained:F2}% of the singular values' sum and {100 * MeanFrobeniusRetained:F2}% of the"
            + $" Frobenius norm are left (standard deviation {FrobeniusDeviation:F3})"));
        return text.ToString();
    }
}

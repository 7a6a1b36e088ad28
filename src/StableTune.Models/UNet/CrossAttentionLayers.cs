using System.Globalization;

namespace StableTune.Models;

/// <summary>The transformers of a UNet that attend to the text, each of which may be given a context of its own.</summary>
public static class CrossAttentionLayers
{
    /// <summary>
    /// Their names in the order in which they run, by the numbers that blocks have in single files: IN01, IN02, IN04 ... MID, OUT03 ...
    /// OUT11 in Stable Diffusion 1 and 2, which have 16.
    /// </summary>
    /// <param name="options">The architecture.</param>
    public static IReadOnlyList<string> Of(UNetOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var (layers, levels) = (options.LayersPerBlock, Enumerable.Range(0, options.Levels).ToList());
        var down = from level in levels
                   where options.DownBlockTypes[level] == UNetOptions.CrossAttentionDown
                   from layer in Enumerable.Range(0, layers)
                   select Name("IN", 1 + (level * (layers + 1)) + layer);
        var up = from index in levels
                 where options.UpBlockTypes[index] == UNetOptions.CrossAttentionUp
                 from layer in Enumerable.Range(0, layers + 1)
                 select Name("OUT", (index * (layers + 1)) + layer);
        return [.. down, "MID", .. up];
    }

    private static string Name(string side, int number) => side + number.ToString("D2", CultureInfo.InvariantCulture);
}

/// <summary>Hands a UNet's blocks the contexts of their transformers: all the same one, or each its own.</summary>
/// <param name="context">[B, L, C]; or [B, K, L, C], one for each of the K transformers in the order in which they run.</param>
internal sealed class LayerContexts(Tensor context)
{
    private int _next;

    /// <summary>What the next block is given.</summary>
    /// <param name="transformers">Transformers of the block.</param>
    public Tensor Take(int transformers)
    {
        if (context.dim() == 3) return context;
        _next += transformers;
        return context.narrow(1, _next - transformers, transformers);
    }

    /// <summary>The context of one of a block's transformers, [B, L, C].</summary>
    /// <param name="given">What the block was given.</param>
    /// <param name="transformer">Counts within the block.</param>
    public static Tensor At(Tensor given, int transformer) => given.dim() == 3 ? given : given.select(1, transformer);
}

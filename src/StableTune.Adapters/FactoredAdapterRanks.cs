namespace StableTune.Adapters;

/// <summary>A rank and an alpha for layers that a regular expression picks.</summary>
/// <param name="Pattern">What must occur in the layer's path with its part in front, see <see cref="LayerSelection.Include"/>.</param>
/// <param name="Rank">The rank; 0 leaves the layers out.</param>
/// <param name="Alpha">The alpha; null for that of the other layers, 0 for the rank.</param>
public sealed record LayerRank(string Pattern, int Rank, float? Alpha = null);

/// <content>Which rank and alpha a layer gets.</content>
public abstract partial record FactoredAdapterOptions
{
    /// <summary>
    /// Whether the rank follows the size of each layer (sd-trainer's <c>rank: dynamic</c>), in the place of <see cref="Rank"/>:
    /// min(⌈√in⌉, ⌈√out⌉), for LoRA twice as much. Default false.
    /// </summary>
    public bool DynamicRank { get; init; }

    /// <summary>
    /// The rank for each block of the UNet (<c>block_dims</c>), counted as <see cref="AdaptedLayer.Block"/>: 25 numbers for SD 1.x and 2.x,
    /// 23 for SDXL; 0 leaves the block out. Null, the default, for <see cref="Rank"/> everywhere.
    /// </summary>
    public IReadOnlyList<int>? BlockRanks { get; init; }

    /// <summary>
    /// The alpha for each block (<c>block_alphas</c>), as many as <see cref="BlockRanks"/>; null for <see cref="Alpha"/>.
    /// </summary>
    public IReadOnlyList<float>? BlockAlphas { get; init; }

    /// <summary>
    /// The rank of convolutions with kernels larger than 1x1 for each block (<c>conv_block_dims</c>), as many as <see cref="BlockRanks"/>;
    /// 0 leaves the block's out. Null for <see cref="ConvRank"/>.
    /// </summary>
    public IReadOnlyList<int>? ConvBlockRanks { get; init; }

    /// <summary>The alpha of such convolutions for each block (<c>conv_block_alphas</c>); null for <see cref="ConvAlpha"/>.</summary>
    public IReadOnlyList<float>? ConvBlockAlphas { get; init; }

    /// <summary>
    /// Ranks for layers by their paths; they win over blocks and the general rank, the first that fits over later ones. Default none.
    /// </summary>
    public IReadOnlyList<LayerRank> LayerRanks { get; init; } = [];

    /// <summary>How many times √size <see cref="DynamicRank"/> gives.</summary>
    protected virtual int DynamicRankFactor => 1;

    /// <summary>The rank for a layer; 0 where it gets no adapter.</summary>
    /// <param name="layer">A layer of the model.</param>
    public int RankFor(AdaptedLayer layer)
    {
        ArgumentNullException.ThrowIfNull(layer);
        if (PatternFor(layer) is { } pattern) return pattern.Rank;
        if (DynamicRank) return DynamicRankFactor * (int)Math.Min(RootOf(layer.Shape.InFeatures), RootOf(layer.Shape.OutFeatures));
        if (layer.IsWindowed) return Of(ConvBlockRanks, layer) ?? ConvRank ?? Of(BlockRanks, layer) ?? Rank;
        return Of(BlockRanks, layer) ?? Rank;
    }

    /// <summary>The alpha for a layer; 0 means its rank.</summary>
    /// <param name="layer">A layer of the model.</param>
    public float AlphaFor(AdaptedLayer layer)
    {
        ArgumentNullException.ThrowIfNull(layer);
        if (PatternFor(layer)?.Alpha is { } alpha) return alpha;
        if (layer.IsWindowed) return Of(ConvBlockAlphas, layer) ?? ConvAlpha ?? Of(BlockAlphas, layer) ?? Alpha;
        return Of(BlockAlphas, layer) ?? Alpha;
    }

    /// <inheritdoc/>
    public override bool Takes(AdaptedLayer layer) => base.Takes(layer) && RankFor(layer) > 0;

    /// <summary>Whether the kind's product is not scaled at a layer, whatever alpha and rank are.</summary>
    internal virtual bool IsUnscaled(AdaptedLayer layer) => false;

    /// <summary>What files hold as alpha, divided by the alpha of the options.</summary>
    internal virtual float AlphaFactor => 1;

    private static long RootOf(long size) => (long)Math.Ceiling(Math.Sqrt(size));

    private static T? Of<T>(IReadOnlyList<T>? blocks, AdaptedLayer layer) where T : struct =>
        blocks is not null && layer.Block is { } block && block < blocks.Count ? blocks[block] : null;

    private LayerRank? PatternFor(AdaptedLayer layer) =>
        LayerRanks.FirstOrDefault(entry => LayerSelection.Occurs(entry.Pattern, layer.FullPath));

    /// <summary>The ranks and alphas of blocks by the reference's names, with commas between.</summary>
    private IEnumerable<(string Name, string Blocks)> BlockArguments()
    {
        if (BlockRanks is not null) yield return ("block_dims", string.Join(',', BlockRanks));
        if (BlockAlphas is not null) yield return ("block_alphas", string.Join(',', BlockAlphas.Select(a => PythonRepr.Of(a))));
        if (ConvBlockRanks is not null) yield return ("conv_block_dims", string.Join(',', ConvBlockRanks));
        if (ConvBlockAlphas is not null)
            yield return ("conv_block_alphas", string.Join(',', ConvBlockAlphas.Select(a => PythonRepr.Of(a))));
    }

    private IEnumerable<OptionProblem> RankProblems()
    {
        const string counts = "give 25 numbers for SD 1.x and 2.x, 23 for SDXL";
        foreach (var (name, ranks) in new[] { (nameof(BlockRanks), BlockRanks), (nameof(ConvBlockRanks), ConvBlockRanks) })
        {
            if (ranks is null) continue;
            if (ranks.Count is not (25 or 23)) yield return Problem(ranks.Count, "blocks are counted otherwise", counts, name);
            if (ranks.Any(rank => rank < 0))
                yield return Problem(string.Join(',', ranks), "a rank must not be negative", "0 leaves a block out", name);
        }

        foreach (var (name, alphas) in new[] { (nameof(BlockAlphas), BlockAlphas), (nameof(ConvBlockAlphas), ConvBlockAlphas) })
        {
            if (alphas is null) continue;
            if (alphas.Count is not (25 or 23)) yield return Problem(alphas.Count, "blocks are counted otherwise", counts, name);
            if (alphas.Any(alpha => !(alpha >= 0 && float.IsFinite(alpha))))
                yield return Problem(string.Join(',', alphas), "an alpha must not be negative", "0 means the rank", name);
        }

        foreach (var entry in LayerRanks)
        {
            if (LayerSelection.Fault(entry.Pattern) is { } fault)
                yield return Problem(entry.Pattern, fault, LayerSelection.Remedy, nameof(LayerRanks));
            if (entry.Rank < 0)
                yield return Problem(entry.Rank, "a rank must not be negative", "0 leaves the layers out", nameof(LayerRanks));
            if (entry.Alpha is { } alpha && !(alpha >= 0 && float.IsFinite(alpha)))
                yield return Problem(alpha, "an alpha must not be negative", "0 means the rank", nameof(LayerRanks));
        }
    }
}

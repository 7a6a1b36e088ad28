namespace StableTune.Adapters;

/// <summary>What files say about a network.</summary>
/// <param name="Module">The reference's name of the kind, by which other programs know it: <c>networks.lora</c>.</param>
/// <param name="Dim">The rank (<c>ss_network_dim</c>); null where the kind has none.</param>
/// <param name="Alpha">The alpha (<c>ss_network_alpha</c>).</param>
public sealed record NetworkFacts(string Module, int? Dim, double? Alpha)
{
    /// <summary>The dropout after the down projection; null for none.</summary>
    public double? Dropout { get; init; }

    /// <summary>Further arguments in the reference's names (<c>ss_network_args</c>, written as JSON); empty leaves the key out.</summary>
    public IReadOnlyDictionary<string, object?> Arguments { get; init; } = new Dictionary<string, object?>();

    /// <summary>The limit of the weights' norms; null for none.</summary>
    public double? ScaleWeightNorms { get; init; }
}

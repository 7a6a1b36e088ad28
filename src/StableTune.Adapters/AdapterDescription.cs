namespace StableTune.Adapters;

/// <summary>What files say about a network of adapters, in sd-scripts' metadata.</summary>
/// <param name="Module">The kind, by the name that other programs know it by (<c>ss_network_module</c>): <c>networks.lora</c>.</param>
/// <param name="Dim">The rank (<c>ss_network_dim</c>); null where the kind has none.</param>
/// <param name="Alpha">The alpha (<c>ss_network_alpha</c>); null where the kind has none.</param>
public sealed record AdapterDescription(string Module, int? Dim = null, double? Alpha = null)
{
    /// <summary>The dropout (<c>ss_network_dropout</c>); null for none.</summary>
    public double? Dropout { get; init; }

    /// <summary>
    /// Further arguments by their names in the reference (<c>ss_network_args</c>, written as JSON); empty leaves the key out.
    /// </summary>
    public IReadOnlyDictionary<string, object?> Arguments { get; init; } = new Dictionary<string, object?>();

    /// <summary>The limit of the weights' norms (<c>ss_scale_weight_norms</c>); null for none.</summary>
    public double? ScaleWeightNorms { get; init; }
}

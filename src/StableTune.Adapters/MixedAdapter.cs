namespace StableTune.Adapters;

/// <summary>A kind of adapter for some of the layers, see <see cref="MixedAdapterOptions"/>.</summary>
/// <param name="Adapter">The kind, with its rank and alpha. Its own layers, parts and excluded blocks do not count.</param>
public sealed record AdapterRule(AdapterOptions Adapter)
{
    /// <summary>Classes of modules below which the rule holds; null, the default, for all layers that the kind takes.</summary>
    public IReadOnlyList<string>? Classes { get; init; }

    /// <summary>
    /// A regular expression that must occur in the layer's path with its part in front, see <see cref="LayerSelection.Include"/>; null,
    /// the default, for all.
    /// </summary>
    public string? Pattern { get; init; }

    internal bool Fits(AdaptedLayer layer, LayerSelection layers) =>
        (Classes is null || layer.Classes.Any(own => Classes.Contains(own, StringComparer.OrdinalIgnoreCase)))
        && (Pattern is null || LayerSelection.Occurs(Pattern, layer.FullPath))
        && (Adapter with { Layers = layers }).Takes(layer);
}

/// <summary>
/// Adapters of several kinds in one network and one file: LyCORIS' <c>module_algo_map</c> and <c>name_algo_map</c>, and its
/// <c>train_norm</c> as a rule for norms. Each layer gets the kind of the first rule that fits it.
/// </summary>
public sealed record MixedAdapterOptions : AdapterOptions
{
    /// <summary>The rules, the first that fits before later ones.</summary>
    public required IReadOnlyList<AdapterRule> Rules { get; init; }

    /// <inheritdoc/>
    public override string KeyPrefix => Rules.Count == 0 ? base.KeyPrefix : Rules[0].Adapter.KeyPrefix;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (Rules.Count == 0) yield return Problem(0, "there is no rule, so no layer has a kind", "give at least one", nameof(Rules));
        foreach (var rule in Rules)
        {
            foreach (var problem in rule.Adapter.Validate()) yield return problem;
            if (rule.Pattern is { } pattern && LayerSelection.Fault(pattern) is { } fault)
                yield return Problem(pattern, fault, LayerSelection.Remedy, nameof(Rules));
            if (rule.Adapter.KeyPrefix != KeyPrefix)
                yield return Problem(rule.Adapter.GetType().Name,
                    $"its names in files begin with {rule.Adapter.KeyPrefix}_, those of the first rule with {KeyPrefix}_",
                    "train it as a network of its own", nameof(Rules));
        }
    }

    /// <inheritdoc/>
    public override bool Takes(AdaptedLayer layer) => RuleFor(layer) is not null;

    /// <inheritdoc/>
    public override NetworkAdapter Create(AdaptedLayer layer, Generator random) =>
        (RuleFor(layer) ?? throw new ArgumentException($"No rule fits {layer}.", nameof(layer))).Adapter.Create(layer, random);

    /// <inheritdoc/>
    public override AdapterDescription Describe() => Rules.Count == 0 ? base.Describe() : Rules[^1].Adapter.Describe();

    /// <inheritdoc/>
    public override IEnumerable<string> Warnings(IReadOnlyList<AdaptedLayer> layers)
    {
        foreach (var warning in base.Warnings(layers)) yield return warning;
        foreach (var group in layers.GroupBy(RuleFor))
            foreach (var warning in group.Key?.Adapter.Warnings([.. group]) ?? []) yield return warning;
        foreach (var rule in Rules.Where(rule => !layers.Any(layer => RuleFor(layer) == rule)))
            yield return $"MixedAdapterOptions.Rules: no layer gets {rule.Adapter.GetType().Name}. Correct the rule, or leave it out.";
    }

    /// <summary>The kind that a layer gets; null where no rule fits it.</summary>
    /// <param name="layer">A layer of the model.</param>
    public AdapterOptions? KindOf(AdaptedLayer layer) => RuleFor(layer)?.Adapter;

    /// <summary>The rule of a layer; null where none fits.</summary>
    internal AdapterRule? RuleFor(AdaptedLayer layer) => Rules.FirstOrDefault(rule => rule.Fits(layer, Layers));
}

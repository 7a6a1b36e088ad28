namespace StableTune.Adapters;

/// <summary>
/// Options of one kind of adapter, and the maker of its implementation. A new kind is a record derived from this one and a
/// <see cref="NetworkAdapter"/>; nothing else needs to know of it.
/// </summary>
public abstract record AdapterOptions : OptionsBase
{
    /// <summary>Which parts of the model get adapters; parts that the model lacks are passed over. Default: all, as sd-scripts.</summary>
    public AdapterParts Parts { get; init; } = AdapterParts.All;

    /// <summary>Which layers are adapted. Default: those of sd-scripts.</summary>
    public LayerSelection Layers { get; init; } = LayerSelection.SdScripts;

    /// <summary>
    /// Blocks of the UNet that get no adapters, by their numbers (<see cref="AdaptedLayer.Block"/>). Default none.
    /// </summary>
    public IReadOnlyList<int> ExcludedBlocks { get; init; } = [];

    /// <summary>What the names in files begin with, before <c>_unet_</c> or <c>_te_</c>.</summary>
    public virtual string KeyPrefix => "lora";

    /// <summary>What is wrong with the options that all kinds have. Derived records add their own.</summary>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Parts == AdapterParts.None || (Parts & ~AdapterParts.All) != 0)
            yield return Problem(Parts, "at least one part of the model must get adapters", "choose UNet, TextEncoder or All");
        foreach (var problem in Layers.Validate()) yield return problem;
    }

    /// <summary>
    /// Whether the kind adapts a layer that <see cref="Layers"/> may pick. The default takes linear layers and 1x1 convolutions, and with
    /// <see cref="LayerSelection.Convolutions"/> all convolutions, but none in groups; a kind that adapts norms says so here.
    /// </summary>
    /// <param name="layer">A layer of the model.</param>
    public virtual bool Takes(AdaptedLayer layer)
    {
        ArgumentNullException.ThrowIfNull(layer);
        return layer.Shape is LinearShape || (layer.Shape is ConvolutionShape { Groups: 1 } c && (Layers.Convolutions || c.IsPointwise));
    }

    /// <summary>
    /// These options with what training alone needs (dropouts) taken from others: for adapters whose rank and alpha come from a file. The
    /// default has nothing of the kind.
    /// </summary>
    /// <param name="training">The other options, of any kind.</param>
    public virtual AdapterOptions WithTrainingOf(AdapterOptions training) => this;

    /// <summary>Makes the adapter of one layer.</summary>
    /// <param name="layer">The frozen layer.</param>
    /// <param name="random">What initial values are drawn from.</param>
    public abstract NetworkAdapter Create(AdaptedLayer layer, Generator random);

    /// <summary>What files say about the network. The default names the record's type, and no rank.</summary>
    public virtual AdapterDescription Describe() => new(GetType().FullName!);

    /// <summary>
    /// What is odd about these options but works, on the layers that they adapt: option, value, remedy, one sentence or two each.
    /// </summary>
    /// <param name="layers">The layers, see <see cref="AdapterNetwork.Layers"/>.</param>
    public virtual IEnumerable<string> Warnings(IReadOnlyList<AdaptedLayer> layers)
    {
        ArgumentNullException.ThrowIfNull(layers);
        // One that fits a layer which is excluded, or not of this kind, changes nothing either.
        foreach (var expression in Layers.Include)
            if (!layers.Any(layer => LayerSelection.Occurs(expression, layer.FullPath)))
                yield return $"LayerSelection.Include holds \"{expression}\": it picks no layer. Correct it, or leave it out.";
    }
}

namespace StableTune.Adapters;

/// <summary>Options of kinds whose ΔW is made of low-rank factors: rank, alpha, dropouts, DoRA.</summary>
public abstract partial record FactoredAdapterOptions : AdapterOptions
{
    /// <summary>The rank of the factors (<c>network_dim</c>). Default 4, as in sd-scripts.</summary>
    public int Rank { get; init; } = 4;

    /// <summary>
    /// ΔW is multiplied by Alpha / Rank (<c>network_alpha</c>). 0 means the rank, a scale of 1. Default 1, as in sd-scripts.
    /// </summary>
    public float Alpha { get; init; } = 1f;

    /// <summary>The rank for convolutions with kernels larger than 1x1 (<c>conv_dim</c>); null for <see cref="Rank"/>.</summary>
    public int? ConvRank { get; init; }

    /// <summary>The alpha for convolutions with kernels larger than 1x1 (<c>conv_alpha</c>); null for <see cref="Alpha"/>.</summary>
    public float? ConvAlpha { get; init; }

    /// <summary>
    /// Probability of a zero in each element, while training (<c>network_dropout</c>): after LoRA's down projection, of LoHa's term. 0 to
    /// below 1.
    /// </summary>
    public double Dropout { get; init; }

    /// <summary>
    /// Probability of leaving out a rank of LoRA for each sample anew, or an output of LoHa, while training (<c>rank_dropout</c>). 0 to
    /// below 1.
    /// </summary>
    public double RankDropout { get; init; }

    /// <summary>
    /// Probability of leaving out a layer's whole adapter for a step, while training (<c>module_dropout</c>). 0 to below 1.
    /// </summary>
    public double ModuleDropout { get; init; }

    /// <summary>
    /// Whether ΔW is divided by the square root of the rank instead of the rank (rsLoRA, <c>rs_lora</c>), so that higher ranks learn as
    /// fast as lower ones. Kalajdzievski, arXiv:2312.03732. Default false.
    /// </summary>
    public bool RankStabilized { get; init; }

    /// <summary>
    /// Whether convolutions with kernels larger than 1x1 are decomposed over their kernels too (<c>use_tucker</c>), which makes smaller
    /// files. Default false.
    /// </summary>
    public bool UseTucker { get; init; }

    /// <summary>
    /// Whether a trained scalar, which starts at 0, multiplies ΔW (<c>use_scalar</c>), so that all factors start at random values. Files
    /// hold it multiplied into a factor. Default false.
    /// </summary>
    public bool UseScalar { get; init; }

    /// <summary>
    /// Whether the weight is decomposed into magnitude and direction (DoRA, <c>dora_wd</c>): a trained magnitude for each output or input
    /// channel. Liu et al., arXiv:2402.09353. Default false.
    /// </summary>
    public bool WeightDecompose { get; init; }

    /// <summary>
    /// With <see cref="WeightDecompose"/>, whether magnitudes belong to outputs or to inputs (<c>wd_on_out</c>). Null, the default: to
    /// outputs for LoRA; to inputs for LoHa and LoKr, of which many programs understand no other.
    /// </summary>
    public bool? DecomposeOutputs { get; init; }

    /// <summary>
    /// With <see cref="WeightDecompose"/>, whether the norm counts as a constant in the backward pass, as in PEFT: a little faster.
    /// Default false, as in LyCORIS.
    /// </summary>
    public bool DetachNorm { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (Rank < 1) yield return Problem(Rank, "the rank must be at least 1", "4 to 32 is customary");
        if (!IsAlpha(Alpha))
            yield return Problem(Alpha, "alpha must not be negative", "the rank, half of it or 1 is customary; 0 means the rank");
        if (ConvRank < 1) yield return Problem(ConvRank, "the rank must be at least 1", "4 to 16 is customary; null takes Rank");
        if (ConvAlpha is { } alpha && !IsAlpha(alpha))
            yield return Problem(ConvAlpha, "alpha must not be negative", "the rank or 1 is customary; 0 means the rank, null takes Alpha");
        if (!Layers.Convolutions && ConvRank is not null)
            yield return Problem(ConvRank, "no convolution with a kernel larger than 1x1 is adapted", WithConvolutions);
        if (!Layers.Convolutions && ConvAlpha is not null)
            yield return Problem(ConvAlpha, "no convolution with a kernel larger than 1x1 is adapted", WithConvolutions);
        if (!IsPart(Dropout))
            yield return Problem(Dropout, "a dropout must be at least 0 and below 1", "0 switches it off, 0.1 to 0.5 is customary");
        if (!IsPart(RankDropout))
            yield return Problem(RankDropout, "a dropout must be at least 0 and below 1", "0 switches it off, 0.1 to 0.3 is customary");
        if (!IsPart(ModuleDropout))
            yield return Problem(ModuleDropout, "a dropout must be at least 0 and below 1", "0 switches it off, 0.1 to 0.3 is customary");

        foreach (var problem in RankProblems()) yield return problem;

        static bool IsPart(double p) => p is >= 0 and < 1;
        static bool IsAlpha(float alpha) => alpha >= 0 && float.IsFinite(alpha);
    }

    /// <inheritdoc/>
    public override AdapterOptions WithTrainingOf(AdapterOptions training) => training is not FactoredAdapterOptions other ? this
        : this with
        {
            Dropout = other.Dropout, RankDropout = other.RankDropout, ModuleDropout = other.ModuleDropout, DetachNorm = other.DetachNorm,
        };

    /// <inheritdoc/>
    public override IEnumerable<string> Warnings(IReadOnlyList<AdaptedLayer> layers)
    {
        foreach (var warning in base.Warnings(layers)) yield return warning;
        var hasConvOptions = ConvRank is not null || ConvAlpha is not null;
        foreach (var group in layers.GroupBy(layer => hasConvOptions && layer.IsWindowed))
            foreach (var warning in Oddities([.. group], isConv: group.Key)) yield return warning;
    }

    /// <summary>Rank, alpha and dropouts, by the names of the reference's arguments.</summary>
    /// <param name="module">The kind's name, see <see cref="AdapterDescription.Module"/>.</param>
    /// <param name="arguments">Arguments of the kind itself, which come first; null for none.</param>
    protected AdapterDescription Describe(string module, IEnumerable<KeyValuePair<string, object?>>? arguments = null)
    {
        var all = new OrderedDictionary<string, object?>(arguments ?? []);
        if (Layers.Convolutions)
        {
            all.Add("conv_dim", PythonRepr.Of(ConvRank ?? Rank));
            all.Add("conv_alpha", PythonRepr.Of(ConvAlpha ?? Alpha));
        }

        foreach (var (name, blocks) in BlockArguments()) all.Add(name, blocks);
        if (RankStabilized) all.Add("rs_lora", "True");
        if (UseTucker) all.Add("use_tucker", "True");
        if (UseScalar) all.Add("use_scalar", "True");
        if (WeightDecompose) all.Add("dora_wd", "True");
        if (DecomposeOutputs is { } outputs) all.Add("wd_on_out", PythonRepr.Of(outputs));
        if (RankDropout > 0) all.Add("rank_dropout", PythonRepr.Of(RankDropout));
        if (ModuleDropout > 0) all.Add("module_dropout", PythonRepr.Of(ModuleDropout));
        // As the reference does, whenever there are arguments at all.
        if (all.Count > 0) all.Add("dropout", Dropout > 0 ? Dropout : null);
        return new AdapterDescription(module, Rank, Alpha) { Dropout = Dropout > 0 ? Dropout : null, Arguments = all };
    }

    private const string WithConvolutions = "choose LayerSelection.SdScriptsWithConvolutions as Layers, or leave it unset";

    /// <summary>The smaller side of the weight as a matrix, [out, in · kh · kw]: no matrix has a higher rank.</summary>
    private static long SmallerSide(LayerShape shape) =>
        Math.Min(shape.OutFeatures, shape.WeightShape.Aggregate(1L, (product, n) => product * n) / shape.OutFeatures);

    private IEnumerable<string> Oddities(IReadOnlyList<AdaptedLayer> layers, bool isConv)
    {
        var (rank, alpha) = (RankFor(layers[0]), AlphaFor(layers[0]));
        var rankName = isConv && ConvRank is not null ? nameof(ConvRank) : nameof(Rank);
        var alphaName = isConv && ConvAlpha is not null ? nameof(ConvAlpha) : nameof(Alpha);
        var kind = GetType().Name;
        if (alpha > 4 * rank)
            yield return FormattableString.Invariant($"{kind}.{alphaName} is {alpha}: more than four times the rank ({rank}) ") +
                "makes large steps. The rank or less is customary.";
        var small = layers.Where(layer => !IsUnscaled(layer) && SmallerSide(layer.Shape) < rank).ToList();
        if (small.Count > 0)
            yield return $"{kind}.{rankName} is {rank}: {small.Count} of {layers.Count} layers are smaller and gain nothing by it " +
                $"({small[0].Path} ...). A lower rank makes a smaller file.";
    }
}

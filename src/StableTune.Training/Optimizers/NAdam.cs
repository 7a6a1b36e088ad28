namespace StableTune.Optimizers;

/// <summary>Adam with Nesterov's momentum (Dozat, Incorporating Nesterov Momentum into Adam, ICLR 2016), as
/// <c>torch.optim.NAdam</c>.</summary>
public sealed record NAdamOptions : AdamFamilyOptions
{
    /// <summary>NAdam's defaults: no weight decay.</summary>
    public NAdamOptions() => WeightDecay = 0;

    /// <summary>How fast the momentum reaches β₁; not negative. Default 0.004.</summary>
    public double MomentumDecay { get; init; } = 0.004;

    /// <summary>Whether weight decay is taken off the weights, as in AdamW, instead of added to the gradient. Default false.</summary>
    public bool DecoupledWeightDecay { get; init; }

    /// <inheritdoc/>
    protected override string ReferenceClass => "torch.optim.nadam.NAdam";

    /// <inheritdoc/>
    protected override double ReferenceWeightDecay => 0;

    /// <inheritdoc/>
    protected override IEnumerable<string> FurtherArguments =>
    [
        .. MomentumDecay != 0.004 ? [$"momentum_decay={PythonRepr.Of(MomentumDecay)}"] : Array.Empty<string>(),
        .. DecoupledWeightDecay ? ["decoupled_weight_decay=True"] : Array.Empty<string>(),
    ];

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() =>
        [.. base.Validate(), .. NotNegative(MomentumDecay, "0.004 is customary")];

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new NAdam(this, groups);
}

/// <summary>
/// μ_t = β₁(1 − 0.96^(t·ψ)/2), M_t = μ_1 ⋯ μ_t; m, v as in Adam; θ ← θ − lr((1 − μ_t)/(1 − M_t) · g + μ_{t+1}/(1 − M_{t+1}) · m) /
/// (√(v/(1 − β₂ᵗ)) + ε). Decay as in Adam, or as in AdamW.
/// </summary>
internal sealed class NAdam(NAdamOptions options, IReadOnlyList<ParameterGroup> groups)
    : FlatOptimizer(options, groups, FlatSlot.Zeros("m"), FlatSlot.Zeros("v"))
{
    /// <summary>M_t by t, from M_0: they follow from the options.</summary>
    private readonly List<double> _products = [1];

    protected override bool IsElementwise => true;

    protected override void Update(FlatUpdate update)
    {
        var (weights, m, v, rate) = (update.Weights, update["m"], update["v"], update.LearningRate);
        var gradients = options.DecoupledWeightDecay ? update.Gradients : update.GradientsWith(options.WeightDecay);
        if (options.DecoupledWeightDecay) weights.mul_(1 - (rate * (update.Group.WeightDecay ?? options.WeightDecay)));
        m.mul_(options.Beta1).add_(gradients, 1 - options.Beta1);
        v.mul_(options.Beta2).addcmul_(gradients, gradients, 1 - options.Beta2);
        var root = v.sqrt().mul_(1 / Math.Sqrt(1 - Math.Pow(options.Beta2, update.Step))).add_(options.Epsilon);
        var (momentum, next) = (Momentum(update.Step), Momentum(update.Step + 1));
        var product = Product(update.Step);
        weights.addcdiv_(gradients, root, -rate * (1 - momentum) / (1 - product));
        weights.addcdiv_(m, root, -rate * next / (1 - (product * next)));
    }

    private double Momentum(int step) => options.Beta1 * (1 - (0.5 * Math.Pow(0.96, step * options.MomentumDecay)));

    private double Product(int step)
    {
        while (_products.Count <= step) _products.Add(_products[^1] * Momentum(_products.Count));
        return _products[step];
    }
}

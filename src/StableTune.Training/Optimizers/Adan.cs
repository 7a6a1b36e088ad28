namespace StableTune.Optimizers;

/// <summary>Adam with a mean of the differences between gradients, Nesterov's look ahead; as <c>pytorch_optimizer.Adan</c>.</summary>
/// <remarks>Xie et al.: Adan: Adaptive Nesterov Momentum Algorithm, arXiv:2208.06677; β is what stays, as in its code.</remarks>
public sealed record AdanOptions : OptimizerOptions
{
    /// <summary>β₁, the decay of the mean of gradients, in [0, 1). Default 0.98.</summary>
    public double Beta1 { get; init; } = 0.98;

    /// <summary>β₂, the decay of the mean of differences between gradients, in [0, 1). Default 0.92.</summary>
    public double Beta2 { get; init; } = 0.92;

    /// <summary>β₃, the decay of the mean of squares, in [0, 1). Default 0.99.</summary>
    public double Beta3 { get; init; } = 0.99;

    /// <summary>ε, added to the root of the mean of squares; positive. Default 1e-8.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Weight decay per unit of learning rate, not negative. Default 0.</summary>
    public double WeightDecay { get; init; }

    /// <summary>Whether weights decay before the step, as with AdamW, instead of by the proximal rule after it. Default false.</summary>
    public bool NoProx { get; init; }

    /// <inheritdoc/>
    public override string ReferenceName => ReferenceClass.With("pytorch_optimizer.optimizer.adan.Adan",
    [
        ("weight_decay", WeightDecay, 0.0), ("betas", (Beta1, Beta2, Beta3), (0.98, 0.92, 0.99)), ("eps", Epsilon, 1e-8),
        ("no_prox", NoProx, false),
    ]);

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() =>
    [
        .. Share(Beta1, "0.98"), .. Share(Beta2, "0.92"), .. Share(Beta3, "0.99"), .. Positive(Epsilon, "1e-8"),
        .. NotNegative(WeightDecay, "0 turns it off"),
    ];

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new Adan(this, groups);
}

/// <summary>
/// Δ = g − g₋₁, 0 at first. m ← β₁m + (1 − β₁)g; n ← β₂n + (1 − β₂)Δ; v ← β₃v + (1 − β₃)(g + β₂Δ)²;
/// u = (m/(1 − β₁ᵗ) + β₂n/(1 − β₂ᵗ))/(√v/√(1 − β₃ᵗ) + ε); θ ← (θ − lr·u)/(1 + lr·wd).
/// </summary>
internal sealed class Adan(AdanOptions options, IReadOnlyList<ParameterGroup> groups)
    : FlatOptimizer(options, groups, FlatSlot.Zeros(Mean), FlatSlot.Zeros(MeanDifference), FlatSlot.Zeros(Square), FlatSlot.Zeros(Previous))
{
    private const string Mean = "m", MeanDifference = "n", Square = "v", Previous = "g";

    protected override bool IsElementwise => true;

    protected override void Update(FlatUpdate update)
    {
        var (w, g, m, n, v) = (update.Weights, update.Gradients, update[Mean], update[MeanDifference], update[Square]);
        var previous = update[Previous];
        var difference = update.Step == 1 ? zeros_like(g) : g - previous;
        previous.copy_(g);
        m.mul_(options.Beta1).add_(g, alpha: 1 - options.Beta1);
        n.mul_(options.Beta2).add_(difference, alpha: 1 - options.Beta2);
        var next = difference.mul_(options.Beta2).add_(g);
        v.mul_(options.Beta3).addcmul_(next, next, 1 - options.Beta3);

        var root = v.sqrt().div_(Math.Sqrt(Correction(options.Beta3))).add_(options.Epsilon);
        var direction = (m / Correction(options.Beta1)).add_(n, alpha: options.Beta2 / Correction(options.Beta2));
        var decay = update.LearningRate * (update.Group.WeightDecay ?? options.WeightDecay);
        if (options.NoProx) w.mul_(1 - decay);
        w.addcdiv_(direction, root, -update.LearningRate);
        if (!options.NoProx) w.div_(1 + decay);

        double Correction(double beta) => 1 - Math.Pow(beta, update.Step);
    }
}

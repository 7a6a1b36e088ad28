namespace StableTune.Optimizers;

/// <summary>
/// Adam that divides each gradient by the squares before it, so that it converges whatever β₂ is; as <c>pytorch_optimizer.ADOPT</c>. The
/// first step of a parameter only measures.
/// </summary>
/// <remarks>Taniguchi et al.: ADOPT: Modified Adam Can Converge with Any β₂ with the Optimal Rate, arXiv:2411.02853, with the clipping of
/// its second version.</remarks>
public sealed record ADOPTOptions : OptimizerOptions
{
    /// <summary>β₁, the decay of the mean of gradients, in [0, 1). Default 0.9.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>β₂, the decay of the mean of squared gradients, in [0, 1). Default 0.9999.</summary>
    public double Beta2 { get; init; } = 0.9999;

    /// <summary>ε, the least root of the second moment; positive. Default 1e-6.</summary>
    public double Epsilon { get; init; } = 1e-6;

    /// <summary>Weight decay, not negative. Default 0.</summary>
    public double WeightDecay { get; init; }

    /// <summary>Whether weights decay by themselves, as with AdamW, instead of through the gradient. Default false.</summary>
    public bool Decouple { get; init; }

    /// <inheritdoc/>
    public override string ReferenceName => ReferenceClass.With("pytorch_optimizer.optimizer.adopt.ADOPT",
    [
        ("weight_decay", WeightDecay, 0.0), ("betas", (Beta1, Beta2), (0.9, 0.9999)), ("eps", Epsilon, 1e-6),
        ("decouple", Decouple, false),
    ]);

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() =>
    [
        .. Share(Beta1, "0.9"), .. Share(Beta2, "0.9999"), .. Positive(Epsilon, "1e-6"), .. NotNegative(WeightDecay, "0 turns it off"),
    ];

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new ADOPT(this, groups);
}

/// <summary>
/// First step: v = g². Then, t from 1: u = g/max(√v, ε), held within ±t^¼; m ← β₁m + (1 − β₁)u; θ ← θ − lr·m; v ← β₂v + (1 − β₂)g².
/// </summary>
internal sealed class ADOPT(ADOPTOptions options, IReadOnlyList<ParameterGroup> groups)
    : FlatOptimizer(options, groups, FlatSlot.Zeros(First), FlatSlot.Zeros(Second))
{
    private const string First = "m", Second = "v";

    protected override bool IsElementwise => true;

    protected override void Update(FlatUpdate update)
    {
        var (w, g, m, v) = (update.Weights, update.Gradients, update[First], update[Second]);
        var decay = update.Group.WeightDecay ?? options.WeightDecay;
        if (decay != 0 && !options.Decouple) g = g.add(w, alpha: decay);
        if (update.Step == 1)
        {
            v.copy_(g * g);
            return;
        }

        if (decay != 0 && options.Decouple) w.mul_(1 - (update.LearningRate * decay));
        var limit = Math.Pow(update.Step - 1, 0.25);
        var scaled = (g / v.sqrt().clamp_min_(options.Epsilon)).clamp_(-limit, limit);
        m.mul_(options.Beta1).add_(scaled, alpha: 1 - options.Beta1);
        w.add_(m, alpha: -update.LearningRate);
        v.mul_(options.Beta2).addcmul_(g, g, 1 - options.Beta2);
    }
}

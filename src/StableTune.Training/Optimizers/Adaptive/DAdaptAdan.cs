namespace StableTune.Optimizers;

/// <summary>What both kinds of D-Adaptation of Adan have in common.</summary>
public abstract record DAdaptAdanFamilyOptions : DistanceOptions
{
    /// <summary>Sets the weight decay that is usual here, 0.02.</summary>
    protected DAdaptAdanFamilyOptions() => WeightDecay = 0.02;

    /// <summary>β₁, the decay of the mean of gradients, in [0, 1). Default 0.98.</summary>
    public double Beta1 { get; init; } = 0.98;

    /// <summary>β₂, the decay of the mean of differences between gradients, in [0, 1). Default 0.92.</summary>
    public double Beta2 { get; init; } = 0.92;

    /// <summary>β₃, the decay of the mean of squares and of the estimate of d, in [0, 1). Default 0.99.</summary>
    public double Beta3 { get; init; } = 0.99;

    /// <summary>ε, added to the root of the mean of squares; positive. Default 1e-8.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Whether weights decay before the step, as with AdamW, instead of by the proximal rule after it. Default false.</summary>
    public bool NoProx { get; init; }

    /// <inheritdoc/>
    protected override IEnumerable<(string Name, object? Value, object? Usual)> ReferenceArguments =>
    [
        ("weight_decay", WeightDecay, 0.02), ("betas", (Beta1, Beta2, Beta3), (0.98, 0.92, 0.99)), ("eps", Epsilon, 1e-8),
        ("no_prox", NoProx, false),
    ];

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() =>
    [
        .. Share(Beta1, "0.98"), .. Share(Beta2, "0.92"),
        .. Share(Beta3, "0.99"), .. Positive(Epsilon, "1e-8"), .. base.Validate(),
    ];
}

/// <summary>D-Adaptation of Adan, as <c>dadaptation.DAdaptAdan</c>. Give a learning rate of about 1.</summary>
/// <remarks>
/// Defazio, Mishchenko: Learning-Rate-Free Learning by D-Adaptation, arXiv:2301.07733; Xie et al.: Adan, arXiv:2208.06677.
/// </remarks>
public sealed record DAdaptAdanOptions : DAdaptAdanFamilyOptions
{
    /// <inheritdoc/>
    protected override string ReferenceClassName => "dadaptation.dadapt_adan.DAdaptAdan";

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new DAdaptAdan(this, groups);
}

/// <summary>
/// λ = d·lr, r the group's ratio, Δ = g − g₋₁, 0 at first. m ← β₁m + λ(1 − β₁)g; n ← β₂n + λ(1 − β₂)Δ; v ← β₃v + (1 − β₃)(g + β₂Δ)²;
/// s ← β₃s + λ(1 − β₃)g; u = r(m + β₂n)/(√v + ε); θ ← (θ − u)/(1 + rλ·wd).
/// </summary>
internal abstract class DAdaptAdanBase(
    DAdaptAdanFamilyOptions options, IReadOnlyList<ParameterGroup> groups, string[] sums, string number)
    : DistanceOptimizer(options, groups,
        [
            FlatSlot.Zeros(Mean), FlatSlot.Zeros(MeanDifference), FlatSlot.Zeros(MeanSquare), FlatSlot.Zeros(Path),
            FlatSlot.Filled(Previous, double.NaN),
        ], sums, (number, 0))
{
    protected const string Mean = "m", MeanDifference = "n", MeanSquare = "v", Path = "s";

    private const string Previous = "g";

    /// <summary>v as it will be, before it is.</summary>
    protected Tensor ComingSquares(FlatUpdate update)
    {
        var next = Next(update, Difference(update));
        return (update[MeanSquare] * options.Beta3).addcmul_(next, next, 1 - options.Beta3);
    }

    /// <summary>s as it will be.</summary>
    protected Tensor ComingPath(FlatUpdate update, DistanceStep step) =>
        (update[Path] * options.Beta3).addcmul_(update.Gradients, step.Factor(1 - options.Beta3), 1);

    protected sealed override void Move(FlatUpdate update, double ratio, DistanceStep step)
    {
        var (w, g, m, n) = (update.Weights, update.Gradients, update[Mean], update[MeanDifference]);
        m.mul_(options.Beta1).addcmul_(g, step.Factor(1 - options.Beta1), 1);
        var (difference, v) = (Difference(update), update[MeanSquare]);
        n.mul_(options.Beta2).addcmul_(difference, step.Factor(1 - options.Beta2), 1);
        var next = Next(update, difference);
        v.mul_(options.Beta3).addcmul_(next, next, 1 - options.Beta3);
        update[Path].mul_(options.Beta3).addcmul_(g, step.Factor(1 - options.Beta3), 1);
        update[Previous].copy_(g);
        var change = m.add(n, alpha: options.Beta2).div_(v.sqrt().add_(options.Epsilon)).mul_(ratio);
        var decay = step.Rate * (ratio * CoupledDecay.Of(options, update));
        if (options.NoProx) w.mul_(1 - decay).sub_(change);
        else w.sub_(change).div_(1 + decay);
    }

    private Tensor Next(FlatUpdate update, Tensor difference) => update.Gradients.add(difference, alpha: options.Beta2);

    /// <summary>Before the first step there is no gradient, which NaN stands for: the difference is 0 then.</summary>
    private static Tensor Difference(FlatUpdate update) => (update.Gradients - update[Previous]).nan_to_num(0);
}

/// <summary>
/// G = Σ rg²/(√v + ε), S = Σ rs²/(√v + ε), L = Σ r‖s‖₁, with v and s after the step; Γ ← β₃Γ + λ²(1 − β₃)G; d̂ = (S/(1 − β₃) − Γ)/L.
/// </summary>
internal sealed class DAdaptAdan(DAdaptAdanOptions options, IReadOnlyList<ParameterGroup> groups)
    : DAdaptAdanBase(options, groups, [Squares, Paths, Length], WeightedSquares)
{
    private const string Squares = "G", Paths = "S", Length = "L", WeightedSquares = "squares";

    protected override void Look(FlatUpdate update, double ratio, DistanceStep step)
    {
        var (g, s, root) = (update.Gradients, ComingPath(update, step), ComingSquares(update).sqrt_().add_(options.Epsilon));
        step.Add(Squares, g * g / root, ratio);
        step.Add(Paths, s * s / root, ratio);
        step.Add(Length, s.abs(), ratio);
    }

    protected override Tensor Estimate(DistanceStep step)
    {
        var (squares, length) = (Number(WeightedSquares), step.Sums[Length]);
        squares.mul_(options.Beta3).add_(step.Sums[Squares] * step.Rate * step.Rate, alpha: 1 - options.Beta3);
        Grow(((step.Sums[Paths] / (1 - options.Beta3)) - squares) / length, length, options.GrowthRate);
        return length;
    }
}

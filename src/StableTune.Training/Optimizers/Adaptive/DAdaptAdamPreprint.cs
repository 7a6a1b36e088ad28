namespace StableTune.Optimizers;

/// <summary>
/// D-Adaptation of Adam as in the paper's first preprint: what sd-scripts calls <c>DAdaptation</c>, and
/// <c>dadaptation.experimental.DAdaptAdamPreprint</c>. Give a learning rate of about 1.
/// </summary>
/// <remarks>Defazio, Mishchenko: Learning-Rate-Free Learning by D-Adaptation, arXiv:2301.07733.</remarks>
public sealed record DAdaptAdamPreprintOptions : DistanceAdamOptions
{
    /// <inheritdoc/>
    protected override string ReferenceClassName => "dadaptation.experimental.dadapt_adam_preprint.DAdaptAdamPreprint";

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new DAdaptAdamPreprint(this, groups);
}

/// <summary>
/// λ = d·lr, r the group's ratio. m ← β₁m + rλ(1 − β₁)g; v ← β₂v + (1 − β₂)g²; G = Σ rg²/(√v + ε); s ← β₂s + λ(1 − β₂)g;
/// S = Σ rs²/(√v + ε); L = Σ r‖s‖₁; Γ ← β₂Γ + λ²(1 − β₂)G; d̂ = (S/(1 − β₂) − Γ)/L; θ ← θ − m/(√v + ε).
/// </summary>
internal sealed class DAdaptAdamPreprint(DAdaptAdamPreprintOptions options, IReadOnlyList<ParameterGroup> groups)
    : DistanceOptimizer<DAdaptAdamFormula>(options, groups, [FlatSlot.Zeros(First), FlatSlot.Zeros(Second), FlatSlot.Zeros(Path)],
        [Squares, Paths, Length], (WeightedSquares, 0))
{
    private const string First = "m", Second = "v", Path = "s", Squares = "G", Paths = "S", Length = "L", WeightedSquares = "squares";

    private readonly double _beta2 = options.Beta2;

    protected override DAdaptAdamFormula FormulaOf(ParameterGroup group, double ratio) =>
        DAdaptAdamFormula.Of(options, group, ratio, _beta2, isPreprint: true);

    protected override Tensor Estimate(DistanceStep step)
    {
        var (squares, length) = (Number(WeightedSquares), step.Sums[Length]);
        squares.mul_(_beta2).add_(step.Sums[Squares] * step.Rate * step.Rate, alpha: 1 - _beta2);
        Grow(((step.Sums[Paths] / (1 - _beta2)) - squares) / length, length, options.GrowthRate);
        return length;
    }
}

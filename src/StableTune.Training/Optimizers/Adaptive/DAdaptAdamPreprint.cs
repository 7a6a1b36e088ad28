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
    : DistanceOptimizer(options, groups, [FlatSlot.Zeros(First), FlatSlot.Zeros(Second), FlatSlot.Zeros(Path)], [Squares, Paths, Length],
        (WeightedSquares, 0))
{
    private const string First = "m", Second = "v", Path = "s", Squares = "G", Paths = "S", Length = "L", WeightedSquares = "squares";

    private readonly double _beta2 = options.Beta2;

    protected override void Look(FlatUpdate update, double ratio, DistanceStep step)
    {
        var g = CoupledDecay.Gradients(options, update);
        var root = (update[Second] * _beta2).addcmul_(g, g, 1 - _beta2).sqrt_().add_(options.Epsilon);
        var s = (update[Path] * _beta2).addcmul_(g, step.Factor(1 - _beta2), 1);
        step.Add(Squares, g * g / root, ratio);
        step.Add(Paths, s * s / root, ratio);
        step.Add(Length, s.abs(), ratio);
    }

    protected override Tensor Estimate(DistanceStep step)
    {
        var (squares, length) = (Number(WeightedSquares), step.Sums[Length]);
        squares.mul_(_beta2).add_(step.Sums[Squares] * step.Rate * step.Rate, alpha: 1 - _beta2);
        Grow(((step.Sums[Paths] / (1 - _beta2)) - squares) / length, length, options.GrowthRate);
        return length;
    }

    protected override void Move(FlatUpdate update, double ratio, DistanceStep step)
    {
        var (w, g, m, v) = (update.Weights, CoupledDecay.Gradients(options, update), update[First], update[Second]);
        m.mul_(options.Beta1).addcmul_(g, step.Factor(ratio * (1 - options.Beta1)), 1);
        v.mul_(_beta2).addcmul_(g, g, 1 - _beta2);
        update[Path].mul_(_beta2).addcmul_(g, step.Factor(1 - _beta2), 1);
        CoupledDecay.Decay(options, update, step.Rate * ratio);
        w.addcdiv_(m, v.sqrt().add_(options.Epsilon), -1);
    }
}

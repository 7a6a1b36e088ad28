namespace StableTune.Optimizers;

/// <summary>D-Adaptation of AdaGrad, as <c>dadaptation.DAdaptAdaGrad</c>. Give a learning rate of about 1.</summary>
/// <remarks>Defazio, Mishchenko: Learning-Rate-Free Learning by D-Adaptation, arXiv:2301.07733.</remarks>
public sealed record DAdaptAdaGradOptions : DistanceOptions
{
    /// <summary>How much of the weights stays in a step instead of following the path at once, in [0, 1). Default 0.</summary>
    public double Momentum { get; init; }

    /// <summary>ε, added to the root of the sum of squares, which begins at it; positive. Default 1e-6.</summary>
    public double Epsilon { get; init; } = 1e-6;

    /// <inheritdoc/>
    protected override string ReferenceClassName => "dadaptation.dadapt_adagrad.DAdaptAdaGrad";

    /// <inheritdoc/>
    protected override IEnumerable<(string Name, object? Value, object? Usual)> ReferenceArguments =>
        [("momentum", Momentum, 0.0), ("weight_decay", WeightDecay, 0.0), ("eps", Epsilon, 1e-6)];

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() =>
        [.. Share(Momentum, "0.9"), .. Positive(Epsilon, "1e-6"), .. base.Validate()];

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new DAdaptAdaGrad(this, groups);
}

/// <summary>
/// λ = d·lr, r the group's ratio. α ← α + g²; s ← s + λg; running sums S = Σ rs²/(√α + ε), L = Σ r‖s‖₁, Γ ← Γ + λ²Σ rg²/(√α + ε);
/// d̂ = (S − Γ)/L; θ ← μθ + (1 − μ)(x₀ − rs/(√α + ε)).
/// </summary>
/// <remarks>S and L take in the change of each parameter's terms, so that those without a gradient in a step keep theirs.</remarks>
internal sealed class DAdaptAdaGrad(DAdaptAdaGradOptions options, IReadOnlyList<ParameterGroup> groups)
    : DistanceOptimizer(options, groups, [FlatSlot.Filled(SquareSum, 1e-6), FlatSlot.Zeros(Path), FlatSlot.OfWeights(Start)],
        [Squares, Paths, Lengths], (AllSquares, 0), (AllPaths, 0), (AllLengths, 0))
{
    private const string SquareSum = "alpha", Path = "s", Start = "x0", Squares = "G", Paths = "S", Lengths = "L",
        AllSquares = "squares", AllPaths = "paths", AllLengths = "lengths";

    protected override void Look(FlatUpdate update, double ratio, DistanceStep step)
    {
        var (g, s, alpha) = (CoupledDecay.Gradients(options, update), update[Path], update[SquareSum]);
        step.Add(Paths, s * s / Root(alpha), -ratio);
        step.Add(Lengths, s.abs(), -ratio);
        var (root, path) = (Root(alpha + (g * g)), s + (g * step.Rate));
        step.Add(Squares, g * g / root, ratio);
        step.Add(Paths, path * path / root, ratio);
        step.Add(Lengths, path.abs(), ratio);
    }

    protected override Tensor Estimate(DistanceStep step)
    {
        var (squares, paths, lengths) = (Number(AllSquares), Number(AllPaths), Number(AllLengths));
        squares.add_(step.Sums[Squares] * step.Rate * step.Rate);
        paths.add_(step.Sums[Paths]);
        lengths.add_(step.Sums[Lengths]);
        Grow((paths - squares) / lengths, lengths, options.GrowthRate);
        return lengths;
    }

    protected override void Move(FlatUpdate update, double ratio, DistanceStep step)
    {
        var (g, s, alpha) = (CoupledDecay.Gradients(options, update), update[Path], update[SquareSum]);
        alpha.addcmul_(g, g, 1);
        s.addcmul_(g, step.Factor(1), 1);
        var target = update[Start] - (s / Root(alpha) * ratio);
        update.Weights.mul_(options.Momentum).add_(target, alpha: 1 - options.Momentum);
    }

    private Tensor Root(Tensor alpha) => alpha.sqrt().add_(options.Epsilon);
}

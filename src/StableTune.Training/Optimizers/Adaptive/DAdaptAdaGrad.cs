using System.Runtime.CompilerServices;

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
    : DistanceOptimizer<DAdaptAdaGradFormula>(options, groups,
        [FlatSlot.Filled(SquareSum, 1e-6), FlatSlot.Zeros(Path), FlatSlot.OfWeights(Start)],
        [Squares, Paths, Lengths], (AllSquares, 0), (AllPaths, 0), (AllLengths, 0))
{
    private const string SquareSum = "alpha", Path = "s", Start = "x0", Squares = "G", Paths = "S", Lengths = "L",
        AllSquares = "squares", AllPaths = "paths", AllLengths = "lengths";

    protected override DAdaptAdaGradFormula FormulaOf(ParameterGroup group, double ratio) => new(
        DistanceDecay.Of(options, group), (float)ratio, (float)options.Epsilon, (float)options.Momentum, (float)(1 - options.Momentum));

    protected override Tensor Estimate(DistanceStep step)
    {
        var (squares, paths, lengths) = (Number(AllSquares), Number(AllPaths), Number(AllLengths));
        squares.add_(step.Sums[Squares] * step.Rate * step.Rate);
        paths.add_(step.Sums[Paths]);
        lengths.add_(step.Sums[Lengths]);
        Grow((paths - squares) / lengths, lengths, options.GrowthRate);
        return lengths;
    }
}

internal readonly record struct DAdaptAdaGradFormula(DistanceDecay Decay, float Ratio, float Epsilon, float Momentum, float Rest)
    : IDistanceFormula
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Look<T>(ref Elements<T> at, in DistanceShares<T> step, ref Terms<T> terms) where T : struct, INumbers<T>
    {
        var (g, alpha, s) = (Decay.Gradient(at), at.First, at.Second);
        var (before, root, path) = (T.Sqrt(alpha) + Epsilon, T.Sqrt(alpha + (g * g)) + Epsilon, s + (g * step.Rate));
        terms.First = g * g / root * Ratio;
        terms.Second = ((path * path / root) - (s * s / before)) * Ratio;
        terms.Third = (T.Abs(path) - T.Abs(s)) * Ratio;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Move<T>(ref Elements<T> at, in DistanceShares<T> step) where T : struct, INumbers<T>
    {
        var g = Decay.Gradient(at);
        at.First += g * g;
        at.Second += g * step.Rate;
        var target = at.Third - (at.Second / (T.Sqrt(at.First) + Epsilon) * Ratio);
        at.Weight = (at.Weight * Momentum) + (target * Rest);
    }
}

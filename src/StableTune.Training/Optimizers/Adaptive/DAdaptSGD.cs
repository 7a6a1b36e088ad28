using System.Runtime.CompilerServices;

namespace StableTune.Optimizers;

/// <summary>D-Adaptation of gradient descent, as <c>dadaptation.DAdaptSGD</c>. Give a learning rate of about 1.</summary>
/// <remarks>Defazio, Mishchenko: Learning-Rate-Free Learning by D-Adaptation, arXiv:2301.07733.</remarks>
public sealed record DAdaptSGDOptions : DistanceOptions
{
    /// <summary>How much of the weights stays in a step instead of following the path at once, in [0, 1). Default 0.</summary>
    public double Momentum { get; init; }

    /// <inheritdoc/>
    protected override string ReferenceClassName => "dadaptation.dadapt_sgd.DAdaptSGD";

    /// <inheritdoc/>
    protected override IEnumerable<(string Name, object? Value, object? Usual)> ReferenceArguments =>
        [("momentum", Momentum, 0.0), ("weight_decay", WeightDecay, 0.0)];

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() => [.. Share(Momentum, "0.9"), .. base.Validate()];

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new DAdaptSGD(this, groups);
}

/// <summary>
/// G₀ the norm of the first gradients, λ = d·lr/G₀, r the group's ratio. N = Σ rλ⟨g, s⟩; s ← s + λg; num ← num + N;
/// d̂ = 2·num/√(Σ r‖s‖²); θ ← μθ + (1 − μ)(x₀ − rs).
/// </summary>
/// <remarks>The path is remembered as G₀ · s: so G₀ need not be known before the sums, and one look at the parameters is enough.</remarks>
internal sealed class DAdaptSGD(DAdaptSGDOptions options, IReadOnlyList<ParameterGroup> groups)
    : DistanceOptimizer<DAdaptSGDFormula>(options, groups, [FlatSlot.Zeros(Path), FlatSlot.OfWeights(Start)], [Inner, PathSquares, Squares],
        (Numerator, 0), (FirstNorm, 0))
{
    private const string Path = "s", Start = "x0", Inner = "N", PathSquares = "S", Squares = "G", Numerator = "numerator",
        FirstNorm = "g0_norm";

    protected override DAdaptSGDFormula FormulaOf(ParameterGroup group, double ratio) => new(
        DistanceDecay.Of(options, group), (float)ratio, (float)options.Momentum, (float)(1 - options.Momentum));

    /// <summary>1/G₀; 0 where no gradient has been seen.</summary>
    protected override Tensor FurtherShare() => WhereSeen(1 / Number(FirstNorm), Number(FirstNorm));

    protected override Tensor Estimate(DistanceStep step)
    {
        var (numerator, first) = (Number(Numerator), Number(FirstNorm));
        first.copy_(where(first > 0, first, step.Sums[Squares].sqrt()));
        numerator.add_(WhereSeen(step.Sums[Inner] * step.Rate / (first * first), first));
        var length = step.Sums[PathSquares].sqrt();
        Grow(numerator * 2 * first / length, length, options.GrowthRate);
        return length;
    }
}

internal readonly record struct DAdaptSGDFormula(DistanceDecay Decay, float Ratio, float Momentum, float Rest) : IDistanceFormula
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Look<T>(ref Elements<T> at, in DistanceShares<T> step, ref Terms<T> terms) where T : struct, INumbers<T>
    {
        var (g, s) = (Decay.Gradient(at), at.First);
        var path = s + (g * step.Rate);
        terms.First = g * s * Ratio;
        terms.Second = path * path * Ratio;
        terms.Third = at.Gradient * at.Gradient * Ratio;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Move<T>(ref Elements<T> at, in DistanceShares<T> step) where T : struct, INumbers<T>
    {
        at.First += Decay.Gradient(at) * step.Rate;
        var target = at.Second - (at.First * (step.Further * Ratio));
        at.Weight = (at.Weight * Momentum) + (target * Rest);
    }
}

using System.Runtime.CompilerServices;

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
    DAdaptAdanFamilyOptions options, IReadOnlyList<ParameterGroup> groups, string[] sums, string number, bool looksAtInner)
    : DistanceOptimizer<DAdaptAdanFormula>(options, groups,
        [
            FlatSlot.Zeros(Mean), FlatSlot.Zeros(MeanDifference), FlatSlot.Zeros(MeanSquare), FlatSlot.Zeros(Path),
            FlatSlot.Filled(Previous, double.NaN),
        ], sums, (number, 0))
{
    private const string Mean = "m", MeanDifference = "n", MeanSquare = "v", Path = "s", Previous = "g";

    protected sealed override DAdaptAdanFormula FormulaOf(ParameterGroup group, double ratio) => new(
        DistanceDecay.ApartOf(options, group), (float)ratio, (float)options.Beta1, (float)(1 - options.Beta1), (float)options.Beta2,
        (float)(1 - options.Beta2), (float)options.Beta3, (float)(1 - options.Beta3), (float)options.Epsilon, options.NoProx, looksAtInner);
}

/// <summary>Of both kinds; they differ in what they look at.</summary>
internal readonly record struct DAdaptAdanFormula(DistanceDecay Decay, float Ratio, float Beta1, float Rest1, float Beta2, float Rest2,
    float Beta3, float Rest3, float Epsilon, bool NoProx, bool LooksAtInner) : IDistanceFormula
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Look<T>(ref Elements<T> at, in DistanceShares<T> step, ref Terms<T> terms) where T : struct, INumbers<T>
    {
        var (g, v, s) = (at.Gradient, at.Third, at.Fourth);
        var path = (s * Beta3) + (g * (step.Rate * Rest3));
        if (LooksAtInner)
        {
            terms.First = g * s / (T.Sqrt(v) + Epsilon) * Ratio;
            terms.Second = T.Abs(path) * Ratio;
        }
        else
        {
            var next = g + (Difference(at) * Beta2);
            var root = T.Sqrt((v * Beta3) + (next * next * Rest3)) + Epsilon;
            terms.First = g * g / root * Ratio;
            terms.Second = path * path / root * Ratio;
            terms.Third = T.Abs(path) * Ratio;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Move<T>(ref Elements<T> at, in DistanceShares<T> step) where T : struct, INumbers<T>
    {
        var (g, difference) = (at.Gradient, Difference(at));
        var next = g + (difference * Beta2);
        at.First = (at.First * Beta1) + (g * (step.Rate * Rest1));
        at.Second = (at.Second * Beta2) + (difference * (step.Rate * Rest2));
        at.Third = (at.Third * Beta3) + (next * next * Rest3);
        at.Fourth = (at.Fourth * Beta3) + (g * (step.Rate * Rest3));
        at.Fifth = g;
        var change = (at.First + (at.Second * Beta2)) / (T.Sqrt(at.Third) + Epsilon) * Ratio;
        var rate = step.Rate * Ratio;
        at.Weight = NoProx ? Decay.Decayed(at.Weight, rate) - change : (at.Weight - change) / ((rate * Decay.Apart) + 1f);
    }

    /// <summary>Before the first step there is no gradient, which NaN stands for: the difference is 0 then.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Difference<T>(in Elements<T> at) where T : struct, INumbers<T> => T.NanToZero(at.Gradient - at.Fifth);
}

/// <summary>
/// G = Σ rg²/(√v + ε), S = Σ rs²/(√v + ε), L = Σ r‖s‖₁, with v and s after the step; Γ ← β₃Γ + λ²(1 − β₃)G; d̂ = (S/(1 − β₃) − Γ)/L.
/// </summary>
internal sealed class DAdaptAdan(DAdaptAdanOptions options, IReadOnlyList<ParameterGroup> groups)
    : DAdaptAdanBase(options, groups, [Squares, Paths, Length], WeightedSquares, looksAtInner: false)
{
    private const string Squares = "G", Paths = "S", Length = "L", WeightedSquares = "squares";

    protected override Tensor Estimate(DistanceStep step)
    {
        var (squares, length) = (Number(WeightedSquares), step.Sums[Length]);
        squares.mul_(options.Beta3).add_(step.Sums[Squares] * step.Rate * step.Rate, alpha: 1 - options.Beta3);
        Grow(((step.Sums[Paths] / (1 - options.Beta3)) - squares) / length, length, options.GrowthRate);
        return length;
    }
}

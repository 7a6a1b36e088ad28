using System.Runtime.CompilerServices;

namespace StableTune.Optimizers;

/// <summary>D-Adaptation of Lion, as <c>dadaptation.DAdaptLion</c>. Give a learning rate of about 1.</summary>
/// <remarks>
/// Defazio, Mishchenko: Learning-Rate-Free Learning by D-Adaptation, arXiv:2301.07733; Chen et al.: Symbolic Discovery of Optimization
/// Algorithms, arXiv:2302.06675. A group with rate 0 stays as it is; the reference moves it with the others' rate.
/// </remarks>
public sealed record DAdaptLionOptions : DistanceOptions
{
    /// <summary>β₁, the mean gradient's share in the direction, in [0, 1). Default 0.9.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>β₂, the decay of the mean of gradients, in [0, 1). Default 0.99.</summary>
    public double Beta2 { get; init; } = 0.99;

    /// <inheritdoc/>
    protected override string ReferenceClassName => "dadaptation.dadapt_lion.DAdaptLion";

    /// <inheritdoc/>
    protected override IEnumerable<(string Name, object? Value, object? Usual)> ReferenceArguments =>
        [("weight_decay", WeightDecay, 0.0), ("betas", (Beta1, Beta2), (0.9, 0.99))];

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() =>
        [.. Share(Beta1, "0.9"), .. Share(Beta2, "0.99"), .. base.Validate()];

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new DAdaptLion(this, groups);
}

/// <summary>
/// λ = d·lr, b = √β₂, r the group's ratio. θ ← θ(1 − rλ·wd); u = sign(β₁m + (1 − β₁)g); θ ← θ − rλu; m ← β₂m + (1 − β₂)λg;
/// N = Σ r⟨u, s⟩; s ← bs + (1 − b)λu; L = Σ r‖s‖₁; num ← b·num + (1 − b)λN; d̂ = num/((1 − b)L).
/// </summary>
internal sealed class DAdaptLion(DAdaptLionOptions options, IReadOnlyList<ParameterGroup> groups)
    : DistanceOptimizer<DAdaptLionFormula>(options, groups, [FlatSlot.Zeros(Mean), FlatSlot.Zeros(Path)], [Inner, Length], (Numerator, 0))
{
    private const string Mean = "m", Path = "s", Inner = "N", Length = "L", Numerator = "numerator";

    private readonly double _pathBeta = Math.Sqrt(options.Beta2);

    protected override DAdaptLionFormula FormulaOf(ParameterGroup group, double ratio) => new(
        DistanceDecay.ApartOf(options, group), (float)ratio, (float)options.Beta1, (float)(1 - options.Beta1), (float)options.Beta2,
        (float)(1 - options.Beta2), (float)_pathBeta, (float)(1 - _pathBeta));

    protected override Tensor Estimate(DistanceStep step)
    {
        var (numerator, length) = (Number(Numerator), step.Sums[Length]);
        numerator.mul_(_pathBeta).add_(step.Sums[Inner] * step.Rate, alpha: 1 - _pathBeta);
        Grow(numerator / (length * (1 - _pathBeta)), length, options.GrowthRate);
        return length;
    }
}

internal readonly record struct DAdaptLionFormula(DistanceDecay Decay, float Ratio, float Beta1, float Rest1, float Beta2, float Rest2,
    float PathBeta, float PathRest) : IDistanceFormula
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Look<T>(ref Elements<T> at, in DistanceShares<T> step, ref Terms<T> terms) where T : struct, INumbers<T>
    {
        var u = Direction(at);
        terms.First = u * at.Second * Ratio;
        terms.Second = T.Abs((at.Second * PathBeta) + (u * (step.Rate * PathRest))) * Ratio;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Move<T>(ref Elements<T> at, in DistanceShares<T> step) where T : struct, INumbers<T>
    {
        var (u, rate) = (Direction(at), step.Rate * Ratio);
        at.Weight = Decay.Decayed(at.Weight, rate) - (u * rate);
        at.First = (at.First * Beta2) + (at.Gradient * (step.Rate * Rest2));
        at.Second = (at.Second * PathBeta) + (u * (step.Rate * PathRest));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private T Direction<T>(in Elements<T> at) where T : struct, INumbers<T> => T.Sign((at.First * Beta1) + (at.Gradient * Rest1));
}

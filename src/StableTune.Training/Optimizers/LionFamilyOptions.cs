using System.Runtime.CompilerServices;

namespace StableTune.Optimizers;

/// <summary>
/// Lion: each weight moves by the learning rate, up or down as a mean of gradients says (Chen et al., Symbolic Discovery of Optimization
/// Algorithms, arXiv:2302.06675). Its rates are a third to a tenth of AdamW's.
/// </summary>
public abstract record LionFamilyOptions : OptimizerOptions
{
    /// <summary>β₁: how much of the remembered mean counts in a step, in [0, 1). Default 0.9.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>β₂, the decay of the remembered mean, in [0, 1). Default 0.99.</summary>
    public double Beta2 { get; init; } = 0.99;

    /// <summary>Weight decay per unit of learning rate, not negative. Default 0; three to ten times AdamW's is customary.</summary>
    public double WeightDecay { get; init; }

    /// <summary>The class of the reference as its metadata name it.</summary>
    private protected abstract string ReferenceClassName { get; }

    private protected virtual IEnumerable<(string Name, object? Value, object? Usual)> FurtherArguments => [];

    /// <inheritdoc/>
    public sealed override string ReferenceName => ReferenceClass.With(ReferenceClassName,
        [("weight_decay", WeightDecay, 0.0), ("betas", (Beta1, Beta2), (0.9, 0.99)), .. FurtherArguments]);

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() =>
        [.. Share(Beta1, "0.9"), .. Share(Beta2, "0.99"), .. NotNegative(WeightDecay, "0 turns it off")];
}

/// <summary>
/// θ ← θ(1 − lr·wd); θ ← θ − lr · sign(β₁m + (1 − β₁)g); m ← β₂m + (1 − β₂)g. sign(0) is 0.
/// </summary>
/// <param name="options">The options.</param>
/// <param name="groups">What is stepped.</param>
/// <param name="mean">How m is kept.</param>
/// <param name="decayRate">What weight decay is divided by; 1 for decay per unit of learning rate.</param>
internal sealed class LionOnVectors(LionFamilyOptions options, IReadOnlyList<ParameterGroup> groups, FlatSlot mean, double decayRate = 1)
    : ElementwiseOptimizer<LionFormula>(options, groups, mean)
{
    protected override LionFormula FormulaOf(int step, double rate, ParameterGroup group, int groupIndex) => new(
        (float)options.Beta1, (float)(1 - options.Beta1), (float)options.Beta2, (float)(1 - options.Beta2),
        (float)(1 - (rate * (group.WeightDecay ?? options.WeightDecay) / decayRate)), (float)-rate);
}

internal readonly record struct LionFormula(float Beta1, float Rest1, float Beta2, float Rest2, float Kept, float Step) : IElementFormula
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(ref Elements<T> at) where T : struct, INumbers<T>
    {
        var (g, m) = (at.Gradient, at.First);
        at.Weight = (at.Weight * Kept) + (T.Sign((m * Beta1) + (g * Rest1)) * Step);
        at.First = (m * Beta2) + (g * Rest2);
    }
}

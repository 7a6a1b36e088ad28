using System.Runtime.CompilerServices;

namespace StableTune.Optimizers;

/// <summary>Adam with the largest gradient in the place of the mean square (Kingma, Ba, arXiv:1412.6980, section 7.1), as
/// <c>torch.optim.Adamax</c>.</summary>
public sealed record AdamaxOptions : AdamFamilyOptions
{
    /// <summary>Adamax's defaults: no weight decay.</summary>
    public AdamaxOptions() => WeightDecay = 0;

    /// <inheritdoc/>
    protected override string ReferenceClass => "torch.optim.adamax.Adamax";

    /// <inheritdoc/>
    protected override double ReferenceWeightDecay => 0;

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new Adamax(this, groups);
}

/// <summary>g ← g + wd·θ; m ← β₁m + (1 − β₁)g; u ← max(β₂u, |g| + ε); θ ← θ − lr/(1 − β₁ᵗ) · m/u.</summary>
internal sealed class Adamax(AdamaxOptions options, IReadOnlyList<ParameterGroup> groups)
    : ElementwiseOptimizer<AdamaxFormula>(options, groups, FlatSlot.Zeros("m"), FlatSlot.Zeros("largest"))
{
    protected override AdamaxFormula FormulaOf(int step, double rate, ParameterGroup group, int groupIndex) => new(
        (float)(group.WeightDecay ?? options.WeightDecay), (float)options.Beta1, (float)(1 - options.Beta1), (float)options.Beta2,
        (float)options.Epsilon, (float)(-rate / (1 - Math.Pow(options.Beta1, step))));
}

internal readonly record struct AdamaxFormula(float Decay, float Beta1, float Rest1, float Beta2, float Epsilon, float Step)
    : IElementFormula
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(ref Elements<T> at) where T : struct, INumbers<T>
    {
        var g = at.Gradient;
        if (Decay != 0) g += at.Weight * Decay;
        at.First = (at.First * Beta1) + (g * Rest1);
        at.Second = T.Max(at.Second * Beta2, T.Abs(g) + Epsilon);
        at.Weight += at.First * Step / at.Second;
    }
}

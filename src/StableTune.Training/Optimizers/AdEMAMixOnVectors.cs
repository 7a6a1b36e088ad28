using System.Runtime.CompilerServices;

namespace StableTune.Optimizers;

/// <summary>
/// θ ← θ(1 − lr·wd); m ← β₁m + (1 − β₁)g; n ← β₃n + (1 − β₃)g; v ← β₂v + (1 − β₂)g²;
/// θ ← θ − lr·(m/(1 − β₁ᵗ) + αn)/(√v/√(1 − β₂ᵗ) + ε).
/// </summary>
/// <param name="options">The options.</param>
/// <param name="groups">What is stepped.</param>
/// <param name="signed">How both means are kept.</param>
/// <param name="unsigned">How the mean of squares is kept.</param>
internal sealed class AdEMAMixOnVectors(
    AdEMAMixFamilyOptions options, IReadOnlyList<ParameterGroup> groups, Func<string, FlatSlot> signed, Func<string, FlatSlot> unsigned)
    : ElementwiseOptimizer<AdEMAMixFormula>(options, groups, signed("m"), signed("m2"), unsigned("v"))
{
    protected override AdEMAMixFormula FormulaOf(int step, double rate, ParameterGroup group, int groupIndex)
    {
        var slow = options.Beta3At(step);
        return new((float)options.Beta1, (float)(1 - options.Beta1), (float)slow, (float)(1 - slow), (float)options.Beta2,
            (float)(1 - options.Beta2), (float)(1 - (rate * (group.WeightDecay ?? options.WeightDecay))),
            (float)Math.Sqrt(1 - Math.Pow(options.Beta2, step)), (float)options.Epsilon, (float)(1 - Math.Pow(options.Beta1, step)),
            (float)options.AlphaAt(step), (float)-rate);
    }
}

internal readonly record struct AdEMAMixFormula(
    float Fast, float RestOfFast, float Slow, float RestOfSlow, float Square, float RestOfSquare, float Kept, float RootCorrection,
    float Epsilon, float FastCorrection, float Alpha, float Step) : IElementFormula
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(ref Elements<T> at) where T : struct, INumbers<T>
    {
        var g = at.Gradient;
        at.First = (at.First * Fast) + (g * RestOfFast);
        at.Second = (at.Second * Slow) + (g * RestOfSlow);
        at.Third = (at.Third * Square) + (g * g * RestOfSquare);
        var root = (T.Sqrt(at.Third) / RootCorrection) + Epsilon;
        var direction = (at.First / FastCorrection) + (at.Second * Alpha);
        at.Weight = (at.Weight * Kept) + (direction * Step / root);
    }
}

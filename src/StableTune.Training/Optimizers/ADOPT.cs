using System.Runtime.CompilerServices;

namespace StableTune.Optimizers;

/// <summary>
/// Adam that divides each gradient by the squares before it, so that it converges whatever β₂ is; as <c>pytorch_optimizer.ADOPT</c>. The
/// first step of a parameter only measures.
/// </summary>
/// <remarks>Taniguchi et al.: ADOPT: Modified Adam Can Converge with Any β₂ with the Optimal Rate, arXiv:2411.02853, with the clipping of
/// its second version.</remarks>
public sealed record ADOPTOptions : OptimizerOptions
{
    /// <summary>β₁, the decay of the mean of gradients, in [0, 1). Default 0.9.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>β₂, the decay of the mean of squared gradients, in [0, 1). Default 0.9999.</summary>
    public double Beta2 { get; init; } = 0.9999;

    /// <summary>ε, the least root of the second moment; positive. Default 1e-6.</summary>
    public double Epsilon { get; init; } = 1e-6;

    /// <summary>Weight decay, not negative. Default 0.</summary>
    public double WeightDecay { get; init; }

    /// <summary>Whether weights decay by themselves, as with AdamW, instead of through the gradient. Default false.</summary>
    public bool Decouple { get; init; }

    /// <inheritdoc/>
    public override string ReferenceName => ReferenceClass.With("pytorch_optimizer.optimizer.adopt.ADOPT",
    [
        ("weight_decay", WeightDecay, 0.0), ("betas", (Beta1, Beta2), (0.9, 0.9999)), ("eps", Epsilon, 1e-6),
        ("decouple", Decouple, false),
    ]);

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() =>
    [
        .. Share(Beta1, "0.9"), .. Share(Beta2, "0.9999"), .. Positive(Epsilon, "1e-6"), .. NotNegative(WeightDecay, "0 turns it off"),
    ];

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new ADOPT(this, groups);
}

/// <summary>
/// First step: v = g². Then, t from 1: u = g/max(√v, ε), held within ±t^¼; m ← β₁m + (1 − β₁)u; θ ← θ − lr·m; v ← β₂v + (1 − β₂)g².
/// </summary>
internal sealed class ADOPT(ADOPTOptions options, IReadOnlyList<ParameterGroup> groups)
    : ElementwiseOptimizer<ADOPTFormula>(options, groups, FlatSlot.Zeros("m"), FlatSlot.Zeros("v"))
{
    protected override ADOPTFormula FormulaOf(int step, double rate, ParameterGroup group, int groupIndex)
    {
        var decay = group.WeightDecay ?? options.WeightDecay;
        return new(step == 1, (float)(options.Decouple ? 0 : decay), (float)(options.Decouple ? 1 - (rate * decay) : 1),
            (float)options.Beta1, (float)(1 - options.Beta1), (float)options.Beta2, (float)(1 - options.Beta2), (float)options.Epsilon,
            (float)Math.Pow(step - 1, 0.25), (float)-rate);
    }
}

internal readonly record struct ADOPTFormula(
    bool IsFirst, float Decay, float Kept, float Beta1, float Rest1, float Beta2, float Rest2, float Epsilon, float Limit, float Step)
    : IElementFormula
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(ref Elements<T> at) where T : struct, INumbers<T>
    {
        var g = at.Gradient;
        if (Decay != 0) g += at.Weight * Decay;
        if (IsFirst)
        {
            at.Second = g * g;
            return;
        }

        var scaled = T.Clamp(g / T.Clamp(T.Sqrt(at.Second), Epsilon, float.PositiveInfinity), -Limit, Limit);
        at.First = (at.First * Beta1) + (scaled * Rest1);
        at.Weight = (at.Weight * Kept) + (at.First * Step);
        at.Second = (at.Second * Beta2) + (g * g * Rest2);
    }
}

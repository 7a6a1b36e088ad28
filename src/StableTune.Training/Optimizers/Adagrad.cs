using System.Runtime.CompilerServices;

namespace StableTune.Optimizers;

/// <summary>Adagrad (Duchi et al., Adaptive Subgradient Methods, JMLR 2011), as <c>torch.optim.Adagrad</c>: each number's rate falls with
/// the sum of its squared gradients.</summary>
public sealed record AdagradOptions : OptimizerOptions
{
    /// <summary>How the rate falls with the steps: lr/(1 + (t − 1)·LrDecay). Default 0.</summary>
    public double LrDecay { get; init; }

    /// <summary>Weight decay, added to the gradient times the weight. Default 0.</summary>
    public double WeightDecay { get; init; }

    /// <summary>What the sums of squares begin with. Default 0.</summary>
    public double InitialAccumulatorValue { get; init; }

    /// <summary>ε, added to the root of the sum; positive. Default 1e-10.</summary>
    public double Epsilon { get; init; } = 1e-10;

    /// <inheritdoc/>
    public override string ReferenceName => ReferenceClass.With("torch.optim.adagrad.Adagrad",
        ("lr_decay", LrDecay, 0.0), ("weight_decay", WeightDecay, 0.0),
        ("initial_accumulator_value", InitialAccumulatorValue, 0.0), ("eps", Epsilon, 1e-10));

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() =>
    [
        .. NotNegative(LrDecay, "0 keeps the rate"), .. NotNegative(WeightDecay, "0 turns it off"),
        .. NotNegative(InitialAccumulatorValue, "0 is customary"), .. Positive(Epsilon, "1e-10"),
    ];

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new Adagrad(this, groups);
}

/// <summary>g ← g + wd·θ; s ← s + g²; θ ← θ − lr/(1 + (t − 1)·decay) · g/(√s + ε).</summary>
internal sealed class Adagrad(AdagradOptions options, IReadOnlyList<ParameterGroup> groups)
    : ElementwiseOptimizer<AdagradFormula>(options, groups, FlatSlot.Filled("sum", options.InitialAccumulatorValue))
{
    protected override AdagradFormula FormulaOf(int step, double rate, ParameterGroup group, int groupIndex) => new(
        (float)(group.WeightDecay ?? options.WeightDecay), (float)options.Epsilon, (float)(-rate / (1 + ((step - 1) * options.LrDecay))));
}

internal readonly record struct AdagradFormula(float Decay, float Epsilon, float Step) : IElementFormula
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(ref Elements<T> at) where T : struct, INumbers<T>
    {
        var g = at.Gradient;
        if (Decay != 0) g += at.Weight * Decay;
        at.First += g * g;
        at.Weight += g * Step / (T.Sqrt(at.First) + Epsilon);
    }
}

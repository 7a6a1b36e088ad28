using System.Runtime.CompilerServices;

namespace StableTune.Optimizers;

/// <summary>Adam with Nesterov's momentum (Dozat, Incorporating Nesterov Momentum into Adam, ICLR 2016), as
/// <c>torch.optim.NAdam</c>.</summary>
public sealed record NAdamOptions : AdamFamilyOptions
{
    /// <summary>NAdam's defaults: no weight decay.</summary>
    public NAdamOptions() => WeightDecay = 0;

    /// <summary>How fast the momentum reaches β₁; not negative. Default 0.004.</summary>
    public double MomentumDecay { get; init; } = 0.004;

    /// <summary>Whether weight decay is taken off the weights, as in AdamW, instead of added to the gradient. Default false.</summary>
    public bool DecoupledWeightDecay { get; init; }

    /// <inheritdoc/>
    protected override string ReferenceClass => "torch.optim.nadam.NAdam";

    /// <inheritdoc/>
    protected override double ReferenceWeightDecay => 0;

    /// <inheritdoc/>
    protected override IEnumerable<string> FurtherArguments =>
    [
        .. MomentumDecay != 0.004 ? [$"momentum_decay={PythonRepr.Of(MomentumDecay)}"] : Array.Empty<string>(),
        .. DecoupledWeightDecay ? ["decoupled_weight_decay=True"] : Array.Empty<string>(),
    ];

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() =>
        [.. base.Validate(), .. NotNegative(MomentumDecay, "0.004 is customary")];

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new NAdam(this, groups);
}

/// <summary>
/// μ_t = β₁(1 − 0.96^(t·ψ)/2), M_t = μ_1 ⋯ μ_t; m, v as in Adam; θ ← θ − lr((1 − μ_t)/(1 − M_t) · g + μ_{t+1}/(1 − M_{t+1}) · m) /
/// (√(v/(1 − β₂ᵗ)) + ε). Decay as in Adam, or as in AdamW.
/// </summary>
internal sealed class NAdam(NAdamOptions options, IReadOnlyList<ParameterGroup> groups)
    : ElementwiseOptimizer<NAdamFormula>(options, groups, FlatSlot.Zeros("m"), FlatSlot.Zeros("v"))
{
    /// <summary>M_t by t, from M_0: they follow from the options.</summary>
    private readonly List<double> _products = [1];

    protected override NAdamFormula FormulaOf(int step, double rate, ParameterGroup group, int groupIndex)
    {
        var (momentum, next, product) = (Momentum(step), Momentum(step + 1), Product(step));
        return new(AdamMoments.Of(options, group, rate, options.DecoupledWeightDecay),
            (float)(1 / Math.Sqrt(1 - Math.Pow(options.Beta2, step))), (float)options.Epsilon,
            (float)(-rate * (1 - momentum) / (1 - product)), (float)(-rate * next / (1 - (product * next))));
    }

    private double Momentum(int step) => options.Beta1 * (1 - (0.5 * Math.Pow(0.96, step * options.MomentumDecay)));

    private double Product(int step)
    {
        while (_products.Count <= step) _products.Add(_products[^1] * Momentum(_products.Count));
        return _products[step];
    }
}

internal readonly record struct NAdamFormula(AdamMoments Moments, float Correction, float Epsilon, float StepOfGradient, float StepOfMean)
    : IElementFormula
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(ref Elements<T> at) where T : struct, INumbers<T>
    {
        var g = Moments.Apply(ref at);
        var root = (T.Sqrt(at.Second) * Correction) + Epsilon;
        at.Weight += g * StepOfGradient / root;
        at.Weight += at.First * StepOfMean / root;
    }
}

using System.Runtime.CompilerServices;

namespace StableTune.Optimizers;

/// <summary>Adam with a mean of the differences between gradients, Nesterov's look ahead; as <c>pytorch_optimizer.Adan</c>.</summary>
/// <remarks>Xie et al.: Adan: Adaptive Nesterov Momentum Algorithm, arXiv:2208.06677; β is what stays, as in its code.</remarks>
public sealed record AdanOptions : OptimizerOptions
{
    /// <summary>β₁, the decay of the mean of gradients, in [0, 1). Default 0.98.</summary>
    public double Beta1 { get; init; } = 0.98;

    /// <summary>β₂, the decay of the mean of differences between gradients, in [0, 1). Default 0.92.</summary>
    public double Beta2 { get; init; } = 0.92;

    /// <summary>β₃, the decay of the mean of squares, in [0, 1). Default 0.99.</summary>
    public double Beta3 { get; init; } = 0.99;

    /// <summary>ε, added to the root of the mean of squares; positive. Default 1e-8.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Weight decay per unit of learning rate, not negative. Default 0.</summary>
    public double WeightDecay { get; init; }

    /// <summary>Whether weights decay before the step, as with AdamW, instead of by the proximal rule after it. Default false.</summary>
    public bool NoProx { get; init; }

    /// <inheritdoc/>
    public override string ReferenceName => ReferenceClass.With("pytorch_optimizer.optimizer.adan.Adan",
    [
        ("weight_decay", WeightDecay, 0.0), ("betas", (Beta1, Beta2, Beta3), (0.98, 0.92, 0.99)), ("eps", Epsilon, 1e-8),
        ("no_prox", NoProx, false),
    ]);

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() =>
    [
        .. Share(Beta1, "0.98"), .. Share(Beta2, "0.92"), .. Share(Beta3, "0.99"), .. Positive(Epsilon, "1e-8"),
        .. NotNegative(WeightDecay, "0 turns it off"),
    ];

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new Adan(this, groups);
}

/// <summary>
/// Δ = g − g₋₁, 0 at first. m ← β₁m + (1 − β₁)g; n ← β₂n + (1 − β₂)Δ; v ← β₃v + (1 − β₃)(g + β₂Δ)²;
/// u = (m/(1 − β₁ᵗ) + β₂n/(1 − β₂ᵗ))/(√v/√(1 − β₃ᵗ) + ε); θ ← (θ − lr·u)/(1 + lr·wd).
/// </summary>
internal sealed class Adan(AdanOptions options, IReadOnlyList<ParameterGroup> groups) : ElementwiseOptimizer<AdanFormula>(
    options, groups, FlatSlot.Zeros("m"), FlatSlot.Zeros("n"), FlatSlot.Zeros("v"), FlatSlot.Zeros("g"))
{
    protected override AdanFormula FormulaOf(int step, double rate, ParameterGroup group, int groupIndex)
    {
        var decay = rate * (group.WeightDecay ?? options.WeightDecay);
        return new(step == 1, new((float)options.Beta1, (float)options.Beta2, (float)options.Beta3),
            new((float)(1 - options.Beta1), (float)(1 - options.Beta2), (float)(1 - options.Beta3)), (float)options.Epsilon,
            (float)Math.Sqrt(Correction(options.Beta3)), (float)Correction(options.Beta1),
            (float)(options.Beta2 / Correction(options.Beta2)), (float)(options.NoProx ? 1 - decay : 1),
            (float)(options.NoProx ? 1 : 1 + decay), (float)-rate);

        double Correction(double beta) => 1 - Math.Pow(beta, step);
    }
}

internal readonly record struct AdanFormula(
    bool IsFirst, AdanFormula.Three Beta, AdanFormula.Three Rest, float Epsilon, float RootCorrection, float MeanCorrection,
    float DifferenceShare, float Kept, float Divisor, float Step) : IElementFormula
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(ref Elements<T> at) where T : struct, INumbers<T>
    {
        var g = at.Gradient;
        var difference = IsFirst ? T.Zero(g) : g - at.Fourth;
        at.Fourth = g;
        at.First = (at.First * Beta.Of1) + (g * Rest.Of1);
        at.Second = (at.Second * Beta.Of2) + (difference * Rest.Of2);
        var next = (difference * Beta.Of2) + g;
        at.Third = (at.Third * Beta.Of3) + (next * next * Rest.Of3);
        var root = (T.Sqrt(at.Third) / RootCorrection) + Epsilon;
        var direction = (at.First / MeanCorrection) + (at.Second * DifferenceShare);
        at.Weight = ((at.Weight * Kept) + (direction * Step / root)) / Divisor;
    }

    /// <summary>A constant for each of the three moments.</summary>
    internal readonly record struct Three(float Of1, float Of2, float Of3);
}

using System.Runtime.CompilerServices;

namespace StableTune.Optimizers;

/// <summary>RMSprop (Tieleman, Hinton: Lecture 6.5, 2012; centred as in Graves, arXiv:1308.0850), as <c>torch.optim.RMSprop</c>.</summary>
public sealed record RMSpropOptions : OptimizerOptions
{
    /// <summary>α, the decay of the mean of squared gradients, in [0, 1). Default 0.99.</summary>
    public double Alpha { get; init; } = 0.99;

    /// <summary>ε, added to the root; positive. Default 1e-8.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Weight decay, added to the gradient times the weight. Default 0.</summary>
    public double WeightDecay { get; init; }

    /// <summary>How much of the last steps is kept, in [0, 1). Default 0.</summary>
    public double Momentum { get; init; }

    /// <summary>Whether the mean gradient is taken off, so that the gradient is divided by its deviation. Default false.</summary>
    public bool Centered { get; init; }

    /// <inheritdoc/>
    public override string ReferenceName => ReferenceClass.With("torch.optim.rmsprop.RMSprop",
        ("alpha", Alpha, 0.99), ("eps", Epsilon, 1e-8), ("weight_decay", WeightDecay, 0.0), ("momentum", Momentum, 0.0),
        ("centered", Centered, false));

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() =>
    [
        .. Share(Alpha, "0.99"), .. Positive(Epsilon, "1e-8"), .. NotNegative(WeightDecay, "0 turns it off"), .. Share(Momentum, "0.9"),
    ];

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new RMSprop(this, groups);
}

/// <summary>
/// g ← g + wd·θ; s ← αs + (1 − α)g²; centred: ḡ ← αḡ + (1 − α)g, s' = s − ḡ², else s' = s; u = g/(√s' + ε); with momentum
/// b ← μb + u, u = b; θ ← θ − lr·u.
/// </summary>
internal sealed class RMSprop(RMSpropOptions options, IReadOnlyList<ParameterGroup> groups)
    : ElementwiseOptimizer<RMSpropFormula>(options, groups,
    [
        FlatSlot.Zeros("square"), .. options.Centered ? [FlatSlot.Zeros("mean")] : Array.Empty<FlatSlot>(),
        .. options.Momentum > 0 ? [FlatSlot.Zeros("momentum")] : Array.Empty<FlatSlot>(),
    ])
{
    protected override RMSpropFormula FormulaOf(int step, double rate, ParameterGroup group, int groupIndex) => new(
        (float)(group.WeightDecay ?? options.WeightDecay), (float)options.Alpha, (float)(1 - options.Alpha), (float)options.Epsilon,
        options.Centered, options.Momentum > 0, (float)options.Momentum, (float)-rate);
}

internal readonly record struct RMSpropFormula(
    float Decay, float Alpha, float Rest, float Epsilon, bool Centered, bool HasMomentum, float Momentum, float Step) : IElementFormula
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(ref Elements<T> at) where T : struct, INumbers<T>
    {
        var g = at.Gradient;
        if (Decay != 0) g += at.Weight * Decay;
        var square = (at.First * Alpha) + (g * g * Rest);
        at.First = square;
        if (Centered)
        {
            at.Second = (at.Second * Alpha) + (g * Rest);
            square -= at.Second * at.Second;
        }

        var root = T.Sqrt(square) + Epsilon;
        if (HasMomentum)
        {
            // Not by reference: what has an address leaves the registers, with momentum or without.
            var momentum = ((Centered ? at.Third : at.Second) * Momentum) + (g / root);
            if (Centered) at.Third = momentum;
            else at.Second = momentum;
            at.Weight += momentum * Step;
        }
        else at.Weight += g * Step / root;
    }
}

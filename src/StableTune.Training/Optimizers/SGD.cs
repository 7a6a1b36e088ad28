using System.Runtime.CompilerServices;

namespace StableTune.Optimizers;

/// <summary>Stochastic gradient descent with momentum, as <c>torch.optim.SGD</c>. Without momentum nothing is remembered.</summary>
/// <remarks>Sutskever et al., On the importance of initialization and momentum in deep learning, ICML 2013, in torch's form: the rate is
/// outside of the momentum.</remarks>
public sealed record SGDOptions : OptimizerOptions
{
    /// <summary>μ: how much of the last step's momentum is kept, in [0, 1). Default 0.</summary>
    public double Momentum { get; init; }

    /// <summary>The share of the gradient that the momentum does not take in, in [0, 1). Default 0.</summary>
    public double Dampening { get; init; }

    /// <summary>Weight decay, added to the gradient times the weight. Default 0.</summary>
    public double WeightDecay { get; init; }

    /// <summary>Whether a step goes on from where the momentum leads (Nesterov): needs momentum, and no dampening. Default
    /// false.</summary>
    public bool Nesterov { get; init; }

    /// <inheritdoc/>
    public override string ReferenceName => ReferenceClass.With("torch.optim.sgd.SGD",
        ("momentum", Momentum, 0.0), ("dampening", Dampening, 0.0), ("weight_decay", WeightDecay, 0.0), ("nesterov", Nesterov, false));

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in Share(Momentum, "0.9").Concat(Share(Dampening, "0")).Concat(NotNegative(WeightDecay, "0 turns it off")))
            yield return problem;
        if (Nesterov && (Momentum == 0 || Dampening != 0))
            yield return Problem(Nesterov, "it needs a momentum, and no dampening", "set Momentum to 0.9 and Dampening to 0");
    }

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new SGDOnVectors(this, this, groups, FlatSlot.Zeros("m"));
}

/// <summary>
/// g ← g + wd·θ; m ← μm + (1 − dampening)g, in the first step m = g; θ ← θ − lr·(m, or g + μm with Nesterov, or g without momentum).
/// </summary>
/// <param name="owner">The options that it was created by.</param>
/// <param name="options">What is computed.</param>
/// <param name="groups">What is stepped.</param>
/// <param name="momentum">How m is kept.</param>
internal sealed class SGDOnVectors(OptimizerOptions owner, SGDOptions options, IReadOnlyList<ParameterGroup> groups, FlatSlot momentum)
    : ElementwiseOptimizer<SGDFormula>(owner, groups, options.Momentum > 0 ? [momentum] : [])
{
    protected override SGDFormula FormulaOf(int step, double rate, ParameterGroup group, int groupIndex) => new(
        (float)(group.WeightDecay ?? options.WeightDecay), options.Momentum > 0, step == 1, (float)options.Momentum,
        (float)(1 - options.Dampening), options.Nesterov, (float)-rate);
}

internal readonly record struct SGDFormula(
    float Decay, bool HasMomentum, bool IsFirst, float Momentum, float Taken, bool Nesterov, float Step) : IElementFormula
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(ref Elements<T> at) where T : struct, INumbers<T>
    {
        var g = at.Gradient;
        if (Decay != 0) g += at.Weight * Decay;
        if (HasMomentum)
        {
            var m = IsFirst ? g : (at.First * Momentum) + (g * Taken);
            at.First = m;
            g = Nesterov ? g + (m * Momentum) : m;
        }

        at.Weight += g * Step;
    }
}

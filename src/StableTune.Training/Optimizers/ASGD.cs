using System.Runtime.CompilerServices;

namespace StableTune.Optimizers;

/// <summary>
/// Averaged stochastic gradient descent (Polyak, Juditsky: Acceleration of Stochastic Approximation by Averaging, 1992), as
/// <c>torch.optim.ASGD</c>. Once averaging has begun, samples are drawn from the average, and it is what is saved; torch leaves taking it
/// to the caller.
/// </summary>
public sealed record ASGDOptions : OptimizerOptions
{
    /// <summary>λ: decay of the weights, and of the rate with the steps; not negative. Default 1e-4.</summary>
    public double Lambda { get; init; } = 1e-4;

    /// <summary>The power of the rate's decay: lr/(1 + λ·lr·(t − 1))^Alpha; not negative. Default 0.75.</summary>
    public double Alpha { get; init; } = 0.75;

    /// <summary>The step after which the average begins; until then it is the weights themselves. Default 1,000,000.</summary>
    public int AveragesFrom { get; init; } = 1_000_000;

    /// <summary>Weight decay, added to the gradient times the weight. Default 0.</summary>
    public double WeightDecay { get; init; }

    /// <inheritdoc/>
    public override bool HasEvaluationWeights => true;

    /// <inheritdoc/>
    public override string ReferenceName => ReferenceClass.With("torch.optim.asgd.ASGD",
        ("lambd", Lambda, 1e-4), ("alpha", Alpha, 0.75), ("t0", AveragesFrom, 1_000_000), ("weight_decay", WeightDecay, 0.0));

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in NotNegative(Lambda, "1e-4 is customary").Concat(NotNegative(Alpha, "0.75 is customary"))
            .Concat(NotNegative(WeightDecay, "0 turns it off")))
            yield return problem;
        if (AveragesFrom < 0) yield return Problem(AveragesFrom, "steps are counted from 0", "give 0 or more");
    }

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new ASGD(this, groups);
}

/// <summary>
/// g ← g + wd·θ; η = lr/(1 + λ·lr·(t − 1))^α; θ ← θ(1 − λη) − ηg; a ← a + (θ − a)/max(1, t − t₀). With a constant rate torch's numbers;
/// there a change of the rate counts a step later, and so does the average's weight, which is that of the step before.
/// </summary>
internal sealed class ASGD(ASGDOptions options, IReadOnlyList<ParameterGroup> groups)
    : ElementwiseOptimizer<ASGDFormula>(options, groups, FlatSlot.OfWeights("average"))
{
    protected override ASGDFormula FormulaOf(int step, double rate, ParameterGroup group, int groupIndex)
    {
        var falling = rate / Math.Pow(1 + (options.Lambda * rate * (step - 1)), options.Alpha);
        // As in torch, the weight of a step is settled in the step before.
        var since = Math.Max(1, step - 1 - options.AveragesFrom);
        return new((float)(group.WeightDecay ?? options.WeightDecay), (float)(1 - (options.Lambda * falling)), (float)-falling,
            since == 1, (float)(1 - (1.0 / since)), (float)(1.0 / since));
    }

    public override IDisposable? UseEvaluationWeights() =>
        SwappedWeights.Begin(All.Where(parameter => parameter.Step > options.AveragesFrom), parameter => parameter["average"]);
}

internal readonly record struct ASGDFormula(float Decay, float Kept, float Step, bool IsItself, float OfAverage, float OfWeight)
    : IElementFormula
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(ref Elements<T> at) where T : struct, INumbers<T>
    {
        var g = at.Gradient;
        if (Decay != 0) g += at.Weight * Decay;
        at.Weight = (at.Weight * Kept) + (g * Step);
        at.First = IsItself ? at.Weight : (at.First * OfAverage) + (at.Weight * OfWeight);
    }
}

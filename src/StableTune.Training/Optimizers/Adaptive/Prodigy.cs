using System.Runtime.CompilerServices;

namespace StableTune.Optimizers;

/// <summary>
/// Prodigy: Adam that finds its own rate faster than D-Adaptation, as <c>prodigyopt.Prodigy</c>. Give a learning rate of about 1. Guides
/// advise a weight decay of 0.01, <see cref="DCoef"/> 2, bias correction, the safeguard where there is a warm-up, and β₂ = 0.99.
/// </summary>
/// <remarks>Mishchenko, Defazio: Prodigy: An Expeditiously Adaptive Parameter-Free Learner, arXiv:2306.06101.</remarks>
public sealed record ProdigyOptions : DistanceAdamOptions
{
    /// <summary>Turns decoupled weight decay on, as in the reference.</summary>
    public ProdigyOptions() => Decouple = true;

    /// <summary>β₃, the decay of the sums from which d is estimated, in [0, 1); null, the default, for √β₂.</summary>
    public double? Beta3 { get; init; }

    /// <summary>What the estimate of d is multiplied by, positive: 0.5 for half the rate, 2 for twice. Default 1.</summary>
    public double DCoef { get; init; } = 1;

    /// <summary>Whether the rate is corrected for moments that begin at 0, as Adam's is. Default false.</summary>
    public bool UseBiasCorrection { get; init; }

    /// <summary>
    /// Whether the rate is left out of the denominator of the estimate, so that a warm-up doesn't make d too large. Default false.
    /// </summary>
    public bool SafeguardWarmup { get; init; }

    /// <summary>
    /// Only every so manieth number of a parameter counts in the estimate, at least 1: 11 saves nearly half of the memory. Default 1, all
    /// of them.
    /// </summary>
    public int SliceP { get; init; } = 1;

    /// <inheritdoc/>
    protected override string ReferenceClassName => "prodigyopt.prodigy.Prodigy";

    private protected override bool UsuallyDecoupled => true;

    /// <inheritdoc/>
    protected override IEnumerable<(string Name, object? Value, object? Usual)> ReferenceArguments =>
    [
        .. base.ReferenceArguments, ("beta3", Beta3, null), ("d_coef", DCoef, 1.0),
        ("use_bias_correction", UseBiasCorrection, false), ("safeguard_warmup", SafeguardWarmup, false), ("slice_p", SliceP, 1),
    ];

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() =>
    [
        .. base.Validate(), .. Beta3 is { } beta ? Share(beta, "null, the root of beta 2,", nameof(Beta3)) : [],
        .. Positive(DCoef, "0.5 to 2"),
        .. SliceP >= 1 ? [] : new[] { Problem(SliceP, "at least every number counts", "use 1 for all, 11 to save memory") },
    ];

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new Prodigy(this, groups);
}

/// <summary>
/// λ = d·lr·bias, r the group's ratio. num ← β₃num + (d/d₀)λΣ⟨g, x₀ − θ⟩; m ← β₁m + d(1 − β₁)g; v ← β₂v + d²(1 − β₂)g²;
/// s ← β₃s + (d/d₀)λg; d̂ = d_coef·num/Σ r‖s‖₁; d ← d̂ as long as it is d₀, d_max ← max(d_max, d̂), d ← min(d_max, d·growth);
/// θ ← θ(1 − rλ·wd) − rλm/(√v + dε). With β₁ = 0 there is no m, and dg takes its place.
/// </summary>
/// <remarks>x₀ − θ of a group with a lower rate is shorter by itself, so that the ratio is no factor of num.</remarks>
internal sealed class Prodigy(ProdigyOptions options, IReadOnlyList<ParameterGroup> groups)
    : DistanceOptimizer<ProdigyFormula>(options, groups,
        [
            FlatSlot.Zeros(Second),
            options.SliceP == 1 ? FlatSlot.Zeros(Path) : new SampledSlot(Path, options.SliceP, start: false),
            options.SliceP == 1 ? FlatSlot.OfWeights(Start) : new SampledSlot(Start, options.SliceP, start: true),
            .. options.Beta1 > 0 ? [FlatSlot.Zeros(First)] : Array.Empty<FlatSlot>(),
        ], [Inner, Length], (Numerator, 0), (LargestDistance, options.D0), (StepsDone, 0))
{
    private const string First = "m", Second = "v", Path = "s", Start = "x0", Inner = "N", Length = "L", Numerator = "numerator",
        LargestDistance = "d_max", StepsDone = "k";

    private readonly double _pathBeta = options.Beta3 ?? Math.Sqrt(options.Beta2);

    protected override bool IsElementwise => options.SliceP == 1;

    protected override Tensor Rate(double rate) => options.UseBiasCorrection
        ? Distance * BiasCorrection(Number(StepsDone), options.Beta1, options.Beta2) * rate
        : base.Rate(rate);

    protected override ProdigyFormula FormulaOf(ParameterGroup group, double ratio) => new(
        DistanceDecay.Of(options, group), (float)ratio, (float)options.Beta1, (float)(1 - options.Beta1), (float)options.Beta2,
        (float)(1 - options.Beta2), (float)_pathBeta, (float)(1 / options.D0), (float)options.Epsilon, options.SafeguardWarmup,
        HasPath: options.SliceP == 1);

    /// <summary>d after the estimate.</summary>
    protected override Tensor FurtherShare() => Distance;

    /// <summary>What is looked at: all numbers, or a sample.</summary>
    private protected override Elements<TensorNumbers> Looked(FlatUpdate update)
    {
        if (options.SliceP == 1) return base.Looked(update);
        return new Elements<TensorNumbers>
        {
            Weight = new(Sampled(update, update.Weights)), Gradient = new(Sampled(update, update.Gradients)),
            Second = new(update[Path]), Third = new(update[Start]),
        };
    }

    private protected override void Move(FlatUpdate update, ProdigyFormula formula, in DistanceShares<TensorNumbers> step)
    {
        if (options.SliceP == 1)
        {
            base.Move(update, formula, step);
            return;
        }

        // The path is shorter than the other vectors, and goes on by itself.
        var sampled = Looked(update);
        var path = formula.ComingPath(sampled, step);
        var at = new Elements<TensorNumbers>
        {
            Weight = new(update.Weights), Gradient = new(update.Gradients), First = new(update[Second]),
        };
        if (options.Beta1 > 0) at.Fourth = new(update[First]);
        formula.Move(ref at, step);
        update[Path].copy_(path.Values);
        update.Weights.copy_(at.Weight.Values);
        update[Second].copy_(at.First.Values);
        if (options.Beta1 > 0) update[First].copy_(at.Fourth.Values);
    }

    protected override Tensor Estimate(DistanceStep step)
    {
        var (numerator, largest, length) = (Number(Numerator), Number(LargestDistance), step.Sums[Length]);
        numerator.mul_(_pathBeta).add_(step.Sums[Inner] * step.Rate * step.Distance / options.D0);
        var found = WhereSeen(numerator * options.DCoef / length, length);
        // As long as d is d₀ nothing is known of it, and the first estimate may be followed at once.
        var first = where(Distance.eq(options.D0), maximum(Distance, found), Distance);
        largest.copy_(maximum(largest, found));
        Distance.copy_(where(length > 0, minimum(largest, first * options.GrowthRate), Distance));
        Number(StepsDone).add_((length > 0).to(length.dtype));
        return length;
    }

    private Tensor Sampled(FlatUpdate update, Tensor values) => SampledSlot.Sample(update.Parameters, values, options.SliceP);
}

/// <summary>v, s and x₀ come first; m last, where there is one.</summary>
/// <param name="Decay">How weights decay.</param>
/// <param name="Ratio">r.</param>
/// <param name="Beta1">β₁.</param>
/// <param name="Rest1">1 − β₁.</param>
/// <param name="Beta2">β₂.</param>
/// <param name="Rest2">1 − β₂.</param>
/// <param name="PathBeta">β₃.</param>
/// <param name="InverseFirst">1/d₀.</param>
/// <param name="Epsilon">ε.</param>
/// <param name="Safeguard">Whether the rate is left out of the path.</param>
/// <param name="HasPath">Whether the path is among the numbers that move.</param>
internal readonly record struct ProdigyFormula(DistanceDecay Decay, float Ratio, float Beta1, float Rest1, float Beta2, float Rest2,
    float PathBeta, float InverseFirst, float Epsilon, bool Safeguard, bool HasPath) : IDistanceFormula
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Look<T>(ref Elements<T> at, in DistanceShares<T> step, ref Terms<T> terms) where T : struct, INumbers<T>
    {
        terms.First = Decay.Gradient(at) * (at.Third - at.Weight);
        terms.Second = T.Abs(ComingPath(at, step)) * Ratio;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Move<T>(ref Elements<T> at, in DistanceShares<T> step) where T : struct, INumbers<T>
    {
        var g = Decay.Gradient(at);
        at.First = (at.First * Beta2) + (g * (step.Distance * step.Distance * Rest2) * g);
        if (HasPath) at.Second = ComingPath(at, step);
        var direction = g * step.Further;
        if (Beta1 > 0) direction = at.Fourth = (at.Fourth * Beta1) + (g * (step.Distance * Rest1));
        var (root, rate) = (T.Sqrt(at.First) + (step.Further * Epsilon), step.Rate * Ratio);
        at.Weight = Decay.Decayed(at.Weight, rate) - (direction / root * rate);
    }

    /// <summary>s after the step.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T ComingPath<T>(in Elements<T> at, in DistanceShares<T> step) where T : struct, INumbers<T> => (at.Second * PathBeta)
        + (Decay.Gradient(at) * ((Safeguard ? step.Distance : step.Rate) * step.Distance * InverseFirst));
}

using System.Runtime.CompilerServices;

namespace StableTune.Optimizers;

/// <summary>D-Adaptation of Adam in its released form, as <c>dadaptation.DAdaptAdam</c>. Give a learning rate of about 1.</summary>
/// <remarks>Defazio, Mishchenko: Learning-Rate-Free Learning by D-Adaptation, arXiv:2301.07733.</remarks>
public sealed record DAdaptAdamOptions : DistanceAdamOptions
{
    /// <summary>Whether the rate is corrected for moments that begin at 0, as Adam's is. Default false.</summary>
    public bool UseBiasCorrection { get; init; }

    /// <inheritdoc/>
    protected override string ReferenceClassName => "dadaptation.dadapt_adam.DAdaptAdam";

    /// <inheritdoc/>
    protected override IEnumerable<(string Name, object? Value, object? Usual)> ReferenceArguments =>
        [.. base.ReferenceArguments, ("use_bias_correction", UseBiasCorrection, false)];

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new DAdaptAdam(this, groups);
}

/// <summary>
/// λ = d·lr·bias, b = √β₂, r the group's ratio. N = Σ r⟨g, s/(√v + ε)⟩; m ← β₁m + rλ(1 − β₁)g; v ← β₂v + (1 − β₂)g²;
/// s ← bs + λ(1 − b)g; L = Σ r‖s‖₁; num ← b·num + (1 − b)λN; d̂ = num/((1 − b)L); θ ← θ − m/(√v + ε).
/// </summary>
internal sealed class DAdaptAdam(DAdaptAdamOptions options, IReadOnlyList<ParameterGroup> groups)
    : DistanceOptimizer<DAdaptAdamFormula>(options, groups, [FlatSlot.Zeros(First), FlatSlot.Zeros(Second), FlatSlot.Zeros(Path)],
        [Inner, Length], (Numerator, 0), (StepsDone, 0))
{
    private const string First = "m", Second = "v", Path = "s", Inner = "N", Length = "L", Numerator = "numerator", StepsDone = "k";

    private readonly double _pathBeta = Math.Sqrt(options.Beta2);

    protected override Tensor Rate(double rate) => options.UseBiasCorrection
        ? Distance * BiasCorrection(Number(StepsDone), options.Beta1, options.Beta2) * rate
        : base.Rate(rate);

    protected override DAdaptAdamFormula FormulaOf(ParameterGroup group, double ratio) =>
        DAdaptAdamFormula.Of(options, group, ratio, _pathBeta, isPreprint: false);

    protected override Tensor Estimate(DistanceStep step)
    {
        var (numerator, length) = (Number(Numerator), step.Sums[Length]);
        numerator.mul_(_pathBeta).add_(step.Sums[Inner] * step.Rate, alpha: 1 - _pathBeta);
        Grow(numerator / (length * (1 - _pathBeta)), length, options.GrowthRate);
        Number(StepsDone).add_((length > 0).to(length.dtype));
        return length;
    }
}

/// <summary>Of both forms; they differ in what they look at, and in how fast the path is forgotten.</summary>
internal readonly record struct DAdaptAdamFormula(DistanceDecay Decay, float Ratio, float Beta1, float Rest1, float Beta2, float Rest2,
    float PathBeta, float PathRest, float Epsilon, bool IsPreprint) : IDistanceFormula
{
    public static DAdaptAdamFormula Of(DistanceAdamOptions options, ParameterGroup group, double ratio, double pathBeta, bool isPreprint) =>
        new(DistanceDecay.Of(options, group), (float)ratio, (float)options.Beta1, (float)(ratio * (1 - options.Beta1)),
            (float)options.Beta2, (float)(1 - options.Beta2), (float)pathBeta, (float)(1 - pathBeta), (float)options.Epsilon, isPreprint);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Look<T>(ref Elements<T> at, in DistanceShares<T> step, ref Terms<T> terms) where T : struct, INumbers<T>
    {
        var (g, v, s) = (Decay.Gradient(at), at.Second, at.Third);
        var path = (s * PathBeta) + (g * (step.Rate * PathRest));
        if (IsPreprint)
        {
            var root = T.Sqrt((v * Beta2) + (g * g * Rest2)) + Epsilon;
            terms.First = g * g / root * Ratio;
            terms.Second = path * path / root * Ratio;
            terms.Third = T.Abs(path) * Ratio;
        }
        else
        {
            terms.First = g * s / (T.Sqrt(v) + Epsilon) * Ratio;
            terms.Second = T.Abs(path) * Ratio;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Move<T>(ref Elements<T> at, in DistanceShares<T> step) where T : struct, INumbers<T>
    {
        var g = Decay.Gradient(at);
        at.First = (at.First * Beta1) + (g * (step.Rate * Rest1));
        at.Second = (at.Second * Beta2) + (g * g * Rest2);
        at.Third = (at.Third * PathBeta) + (g * (step.Rate * PathRest));
        at.Weight = Decay.Decayed(at.Weight, step.Rate * Ratio) - (at.First / (T.Sqrt(at.Second) + Epsilon));
    }
}

using System.Runtime.CompilerServices;

namespace StableTune.Optimizers;

/// <summary>
/// Adam whose first steps, in which the second moment is not yet known well, are plain or small (Liu et al., On the Variance of the
/// Adaptive Learning Rate and Beyond, arXiv:1908.03265), as <c>torch.optim.RAdam</c>. Takes the place of a warm-up.
/// </summary>
public sealed record RAdamOptions : AdamFamilyOptions
{
    /// <summary>RAdam's defaults: no weight decay.</summary>
    public RAdamOptions() => WeightDecay = 0;

    /// <summary>Whether weight decay is taken off the weights, as in AdamW, instead of added to the gradient. Default false.</summary>
    public bool DecoupledWeightDecay { get; init; }

    /// <inheritdoc/>
    protected override string ReferenceClass => "torch.optim.radam.RAdam";

    /// <inheritdoc/>
    protected override double ReferenceWeightDecay => 0;

    /// <inheritdoc/>
    protected override IEnumerable<string> FurtherArguments => DecoupledWeightDecay ? ["decoupled_weight_decay=True"] : [];

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new RAdam(this, groups);
}

/// <summary>How well the second moment is known after so many steps.</summary>
/// <param name="Length">ρ_t, the length of the mean: ρ∞ − 2tβ₂ᵗ/(1 − β₂ᵗ) with ρ∞ = 2/(1 − β₂) − 1.</param>
/// <param name="Factor">r_t, by which a step is shortened: √((ρ_t − 4)(ρ_t − 2)ρ∞ / ((ρ∞ − 4)(ρ∞ − 2)ρ_t)); means something where
/// <paramref name="Length"/> is above 4.</param>
internal readonly record struct Rectification(double Length, double Factor)
{
    /// <summary>Of a step, counted from 1.</summary>
    public static Rectification Of(double beta2, int step)
    {
        var (power, longest) = (Math.Pow(beta2, step), (2 / (1 - beta2)) - 1);
        var length = longest - (2 * step * power / (1 - power));
        return new(length, Math.Sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)));
    }
}

/// <summary>m, v as in Adam; where ρ_t > 5: θ ← θ − lr·r_t · m/(1 − β₁ᵗ) · √(1 − β₂ᵗ)/(√v + ε), else θ ← θ − lr · m/(1 − β₁ᵗ).</summary>
internal sealed class RAdam(RAdamOptions options, IReadOnlyList<ParameterGroup> groups)
    : ElementwiseOptimizer<RAdamFormula>(options, groups, FlatSlot.Zeros("m"), FlatSlot.Zeros("v"))
{
    protected override RAdamFormula FormulaOf(int step, double rate, ParameterGroup group, int groupIndex)
    {
        var plain = -rate / (1 - Math.Pow(options.Beta1, step));
        var known = Rectification.Of(options.Beta2, step);
        return new(AdamMoments.Of(options, group, rate, options.DecoupledWeightDecay), known.Length > 5, (float)options.Epsilon,
            (float)(known.Length > 5 ? plain * known.Factor * Math.Sqrt(1 - Math.Pow(options.Beta2, step)) : plain));
    }
}

internal readonly record struct RAdamFormula(AdamMoments Moments, bool IsKnown, float Epsilon, float Step) : IElementFormula
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(ref Elements<T> at) where T : struct, INumbers<T>
    {
        _ = Moments.Apply(ref at);
        var change = at.First * Step;
        at.Weight += IsKnown ? change / (T.Sqrt(at.Second) + Epsilon) : change;
    }
}

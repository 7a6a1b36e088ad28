namespace StableTune.Optimizers;

/// <summary>AdamW without a schedule, as <c>schedulefree.AdamWScheduleFree</c>. Its rates are AdamW's, or somewhat higher.</summary>
/// <remarks>Defazio et al., The Road Less Scheduled, arXiv:2405.15682.</remarks>
public sealed record AdamWScheduleFreeOptions : ScheduleFreeOptions
{
    /// <summary>β₁: how near the weights at which gradients are taken lie to the average, in (0, 1). Default 0.9; 0.95 or 0.98 suit long
    /// runs.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>β₂, the decay of the mean of squared gradients, in [0, 1). Default 0.999.</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>ε, added to the root of the second moment; positive. Default 1e-8.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Steps in which the rate rises linearly. Default 0.</summary>
    public int WarmupSteps { get; init; }

    /// <inheritdoc/>
    public override string ReferenceName => ReferenceClass.With("schedulefree.adamw_schedulefree.AdamWScheduleFree",
    [
        ("betas", (Beta1, Beta2), (0.9, 0.999)), ("eps", Epsilon, 1e-8), ("warmup_steps", WarmupSteps, 0), .. AverageArguments,
    ]);

    internal override double Interpolation => Beta1;

    internal override double RateOf(double rate, int step) => WarmupSteps > 0 ? rate * Math.Min(1, (double)step / WarmupSteps) : rate;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() =>
    [
        .. base.Validate(), .. Between(Beta1, nameof(Beta1)), .. Share(Beta2, "0.999"), .. Positive(Epsilon, "1e-8"),
        .. Steps(WarmupSteps, nameof(WarmupSteps)),
    ];

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new AdamWScheduleFree(this, groups);
}

/// <summary>v ← β₂v + (1 − β₂)g²; d = g/(√(v/(1 − β₂ᵗ)) + ε).</summary>
internal sealed class AdamWScheduleFree(AdamWScheduleFreeOptions options, IReadOnlyList<ParameterGroup> groups)
    : ScheduleFree(options, groups, FlatSlot.Zeros("v"))
{
    protected override ScheduleFreeDirection DirectionOf(int step) =>
        ScheduleFreeDirection.Of(options.Beta2, options.Epsilon, step, divides: true);
}

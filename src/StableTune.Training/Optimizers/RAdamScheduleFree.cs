namespace StableTune.Optimizers;

/// <summary>RAdam without a schedule, as <c>schedulefree.RAdamScheduleFree</c>: needs no warm-up either.</summary>
/// <remarks>Defazio et al., The Road Less Scheduled, arXiv:2405.15682; Liu et al., arXiv:1908.03265.</remarks>
public sealed record RAdamScheduleFreeOptions : ScheduleFreeOptions
{
    /// <summary>β₁: how near the weights at which gradients are taken lie to the average, in (0, 1). Default 0.9.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>β₂, the decay of the mean of squared gradients, in [0, 1). Default 0.999.</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>ε, added to the root of the second moment; positive. Default 1e-8.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Whether the first steps, in which the second moment is not known well enough, do nothing but learn it; else they are plain
    /// gradient descent. Default true.</summary>
    public bool SilentSgdPhase { get; init; } = true;

    /// <inheritdoc/>
    public override string ReferenceName => ReferenceClass.With("schedulefree.radam_schedulefree.RAdamScheduleFree",
    [
        ("betas", (Beta1, Beta2), (0.9, 0.999)), ("eps", Epsilon, 1e-8), .. AverageArguments, ("silent_sgd_phase", SilentSgdPhase, true),
    ]);

    internal override double Interpolation => Beta1;

    internal bool IsKnown(int step) => Rectification.Of(Beta2, step).Length > 4;

    internal override double RateOf(double rate, int step) =>
        rate * (IsKnown(step) ? Rectification.Of(Beta2, step).Factor : SilentSgdPhase ? 0 : 1);

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() =>
        [.. base.Validate(), .. Between(Beta1, nameof(Beta1)), .. Share(Beta2, "0.999"), .. Positive(Epsilon, "1e-8")];

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new RAdamScheduleFree(this, groups);
}

/// <summary>v ← β₂v + (1 − β₂)g²; d = g/(√(v/(1 − β₂ᵗ)) + ε) where ρ_t > 4, else g; the rate is multiplied by r_t there.</summary>
internal sealed class RAdamScheduleFree(RAdamScheduleFreeOptions options, IReadOnlyList<ParameterGroup> groups)
    : ScheduleFree(options, groups, FlatSlot.Zeros("v"))
{
    protected override ScheduleFreeDirection DirectionOf(int step) =>
        ScheduleFreeDirection.Of(options.Beta2, options.Epsilon, step, divides: options.IsKnown(step));
}

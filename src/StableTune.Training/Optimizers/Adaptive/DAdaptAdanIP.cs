namespace StableTune.Optimizers;

/// <summary>
/// D-Adaptation of Adan that estimates d from inner products, as <c>dadaptation.experimental.DAdaptAdanIP</c>. Give a learning rate of
/// about 1.
/// </summary>
/// <remarks>
/// Defazio, Mishchenko: Learning-Rate-Free Learning by D-Adaptation, arXiv:2301.07733; Xie et al.: Adan, arXiv:2208.06677.
/// </remarks>
public sealed record DAdaptAdanIPOptions : DAdaptAdanFamilyOptions
{
    /// <inheritdoc/>
    protected override string ReferenceClassName => "dadaptation.experimental.dadapt_adan_ip.DAdaptAdanIP";

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new DAdaptAdanIP(this, groups);
}

/// <summary>
/// N = Σ r⟨g, s/(√v + ε)⟩ with v and s before the step, L = Σ r‖s‖₁ with s after it; num ← β₃num + (1 − β₃)λN;
/// d̂ = 2·β₃/(1 − β₃)·num/L.
/// </summary>
internal sealed class DAdaptAdanIP(DAdaptAdanIPOptions options, IReadOnlyList<ParameterGroup> groups)
    : DAdaptAdanBase(options, groups, [Inner, Length], Numerator, looksAtInner: true)
{
    private const string Inner = "N", Length = "L", Numerator = "numerator";

    protected override Tensor Estimate(DistanceStep step)
    {
        var (numerator, length) = (Number(Numerator), step.Sums[Length]);
        numerator.mul_(options.Beta3).add_(step.Sums[Inner] * step.Rate, alpha: 1 - options.Beta3);
        Grow(numerator * (2 * options.Beta3 / (1 - options.Beta3)) / length, length, options.GrowthRate);
        return length;
    }
}

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
    : DistanceOptimizer(options, groups, [FlatSlot.Zeros(First), FlatSlot.Zeros(Second), FlatSlot.Zeros(Path)], [Inner, Length],
        (Numerator, 0), (StepsDone, 0))
{
    private const string First = "m", Second = "v", Path = "s", Inner = "N", Length = "L", Numerator = "numerator", StepsDone = "k";

    private readonly double _pathBeta = Math.Sqrt(options.Beta2);

    protected override Tensor Rate(double rate) => options.UseBiasCorrection
        ? Distance * BiasCorrection(Number(StepsDone), options.Beta1, options.Beta2) * rate
        : base.Rate(rate);

    protected override void Look(FlatUpdate update, double ratio, DistanceStep step)
    {
        var (g, s, v) = (CoupledDecay.Gradients(options, update), update[Path], update[Second]);
        step.Add(Inner, g * s / v.sqrt().add_(options.Epsilon), ratio);
        step.Add(Length, (s * _pathBeta).addcmul_(g, step.Factor(1 - _pathBeta), 1).abs_(), ratio);
    }

    protected override Tensor Estimate(DistanceStep step)
    {
        var (numerator, length) = (Number(Numerator), step.Sums[Length]);
        numerator.mul_(_pathBeta).add_(step.Sums[Inner] * step.Rate, alpha: 1 - _pathBeta);
        Grow(numerator / (length * (1 - _pathBeta)), length, options.GrowthRate);
        Number(StepsDone).add_((length > 0).to(length.dtype));
        return length;
    }

    protected override void Move(FlatUpdate update, double ratio, DistanceStep step)
    {
        var (w, g, m, v) = (update.Weights, CoupledDecay.Gradients(options, update), update[First], update[Second]);
        m.mul_(options.Beta1).addcmul_(g, step.Factor(ratio * (1 - options.Beta1)), 1);
        v.mul_(options.Beta2).addcmul_(g, g, 1 - options.Beta2);
        update[Path].mul_(_pathBeta).addcmul_(g, step.Factor(1 - _pathBeta), 1);
        CoupledDecay.Decay(options, update, step.Rate * ratio);
        w.addcdiv_(m, v.sqrt().add_(options.Epsilon), -1);
    }
}

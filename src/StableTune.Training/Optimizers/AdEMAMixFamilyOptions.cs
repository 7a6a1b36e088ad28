namespace StableTune.Optimizers;

/// <summary>What AdEMAMix and its 8-bit kind have in common.</summary>
public abstract record AdEMAMixFamilyOptions : OptimizerOptions
{
    /// <summary>β₁, the decay of the fast mean of gradients, in (0, 1). Default 0.9.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>β₂, the decay of the mean of squared gradients, in [0, 1). Default 0.999.</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>β₃, the decay of the slow mean of gradients, in (0, 1). Default 0.9999.</summary>
    public double Beta3 { get; init; } = 0.9999;

    /// <summary>α, what the slow mean is multiplied by, not negative. Default 5.</summary>
    public double Alpha { get; init; } = 5;

    /// <summary>Steps in which α rises from 0 in a straight line; null, the default, for α from the first step on.</summary>
    public int? TAlpha { get; init; }

    /// <summary>
    /// Steps in which β₃ rises from β₁, so that the half-life of the slow mean grows in a straight line; null, the default, for β₃ from
    /// the first step on.
    /// </summary>
    public int? TBeta3 { get; init; }

    /// <summary>ε, added to the root of the second moment; positive. Default 1e-8.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Weight decay per unit of learning rate, not negative. Default 0.01.</summary>
    public double WeightDecay { get; init; } = 0.01;

    /// <inheritdoc/>
    public sealed override string ReferenceName => ReferenceClass.With($"bitsandbytes.optim.ademamix.{ReferenceClassName}",
    [
        ("weight_decay", WeightDecay, 0.01), ("betas", (Beta1, Beta2, Beta3), (0.9, 0.999, 0.9999)), ("eps", Epsilon, 1e-8),
        ("alpha", Alpha, 5.0), ("t_alpha", TAlpha, null), ("t_beta3", TBeta3, null),
    ]);

    /// <summary>The class of bitsandbytes.</summary>
    private protected abstract string ReferenceClassName { get; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() =>
    [
        .. Positive(Beta1, "0.9"), .. Share(Beta1, "0.9"), .. Share(Beta2, "0.999"),
        .. Positive(Beta3, "0.9999"), .. Share(Beta3, "0.9999"),
        .. NotNegative(Alpha, "5 is customary"),
        .. TAlpha < 1 ? [Problem(TAlpha, "alpha takes at least one step to rise", "give the run's steps, or null")]
            : Array.Empty<OptionProblem>(),
        .. TBeta3 < 1 ? [Problem(TBeta3, "beta 3 takes at least one step to rise", "give the run's steps, or null")]
            : Array.Empty<OptionProblem>(),
        .. Positive(Epsilon, "1e-8"), .. NotNegative(WeightDecay, "0 turns it off"),
    ];

    /// <summary>α of a step, counted from 1.</summary>
    internal double AlphaAt(int step) => TAlpha is { } steps ? Math.Min(Alpha, step * Alpha / steps) : Alpha;

    /// <summary>β₃ of a step, counted from 1: 1/ln β goes from that of β₁ to that of β₃ in a straight line.</summary>
    internal double Beta3At(int step)
    {
        if (TBeta3 is not { } steps) return Beta3;
        var (first, last, share) = (Math.Log(Beta1), Math.Log(Beta3), (double)step / steps);
        return share >= 1 ? Beta3 : Math.Min(Beta3, Math.Exp(first * last / (((1 - share) * last) + (share * first))));
    }
}

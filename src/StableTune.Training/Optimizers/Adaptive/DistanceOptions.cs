namespace StableTune.Optimizers;

/// <summary>
/// What optimizers that find their own learning rate have in common: D-Adaptation and Prodigy. They estimate d, the distance from the first
/// weights to good ones, and step by d times the learning rate, which is therefore given as about 1.
/// </summary>
/// <remarks>
/// Defazio, Mishchenko: Learning-Rate-Free Learning by D-Adaptation, arXiv:2301.07733; Mishchenko, Defazio: Prodigy, arXiv:2306.06101.
/// All groups share one d. The largest rate of a step counts as its rate; a group whose rate is lower takes shorter steps in that ratio,
/// and counts as much less in the estimate. A group with rate 0 stays as it is. The reference implementations refuse unlike rates, or
/// take the first group's for all.
/// </remarks>
public abstract record DistanceOptions : OptimizerOptions
{
    /// <summary>Rates up to this one are too low to be meant for these optimizers.</summary>
    private const double LowRate = 0.1;

    /// <summary>The first estimate of d, positive; d never falls below it. Default 1e-6.</summary>
    public double D0 { get; init; } = 1e-6;

    /// <summary>The largest factor by which d grows in a step, at least 1. Default infinity, no limit; 1.02 makes a kind of
    /// warm-up.</summary>
    public double GrowthRate { get; init; } = double.PositiveInfinity;

    /// <summary>Weight decay, not negative. Default 0, for the kinds after Adan 0.02.</summary>
    public double WeightDecay { get; init; }

    /// <inheritdoc/>
    public sealed override bool StepsOneByOne => false;

    /// <inheritdoc/>
    public sealed override string ReferenceName => ReferenceClass.With(ReferenceClassName,
        [.. ReferenceArguments, ("d0", D0, 1e-6), ("growth_rate", GrowthRate, double.PositiveInfinity)]);

    /// <summary>The class of the reference as metadata name it: <c>dadaptation.dadapt_adam.DAdaptAdam</c>.</summary>
    protected abstract string ReferenceClassName { get; }

    /// <summary>The reference's arguments besides d0 and growth_rate.</summary>
    protected abstract IEnumerable<(string Name, object? Value, object? Usual)> ReferenceArguments { get; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() =>
    [
        .. Positive(D0, "1e-6"),
        .. GrowthRate >= 1 ? []
            : new[] { Problem(GrowthRate, "d cannot grow by a factor below 1", "use infinity for no limit, or 1.02") },
        .. NotNegative(WeightDecay, "0 turns it off"),
    ];

    /// <inheritdoc/>
    /// <remarks>As sd-scripts, the first group's rate is looked at.</remarks>
    public override IEnumerable<string> RateWarnings(IReadOnlyList<ParameterGroup> groups)
    {
        ArgumentNullException.ThrowIfNull(groups);
        if (groups.Count > 0 && groups[0].LearningRate <= LowRate)
            yield return FormattableString.Invariant(
                $"The learning rate of \"{groups[0].Name}\" is {groups[0].LearningRate}: {GetType().Name} finds the rate itself and ")
                + "multiplies it by this one. Give about 1.0.";
    }
}

/// <summary>Options of those that find their own rate and step as Adam does: two moments, ε, and how weights decay.</summary>
public abstract record DistanceAdamOptions : DistanceOptions
{
    /// <summary>β₁, the decay of the mean of gradients, in [0, 1). Default 0.9.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>β₂, the decay of the mean of squared gradients, in [0, 1). Default 0.999.</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>ε, added to the root of the second moment; positive. Default 1e-8.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>
    /// Whether weights decay by themselves, as with AdamW, instead of through the gradient. Default false, and true for Prodigy.
    /// </summary>
    public bool Decouple { get; init; }

    /// <summary>What Decouple is in the reference's class by default.</summary>
    private protected virtual bool UsuallyDecoupled => false;

    /// <inheritdoc/>
    protected override IEnumerable<(string Name, object? Value, object? Usual)> ReferenceArguments =>
    [
        ("decouple", Decouple, UsuallyDecoupled), ("weight_decay", WeightDecay, 0.0),
        ("betas", (Beta1, Beta2), (0.9, 0.999)), ("eps", Epsilon, 1e-8),
    ];

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() =>
    [
        .. Share(Beta1, "0.9"), .. Share(Beta2, "0.999"), .. Positive(Epsilon, "1e-8"), .. base.Validate(),
    ];
}

namespace StableTune.Optimizers;

/// <summary>
/// Stochastic gradient descent with Nesterov's momentum, which is remembered in eight bits (<see cref="EightBitSlot"/>): a byte for each
/// weight. sd-scripts' <c>SGDNesterov8bit</c>, which is bitsandbytes' <c>SGD8bit</c>.
/// </summary>
public sealed record SGDNesterov8bitOptions : OptimizerOptions
{
    /// <summary>μ: how much of the last step's momentum is kept, in (0, 1). Default 0.9.</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>Weight decay, added to the gradient times the weight. Default 0.</summary>
    public double WeightDecay { get; init; }

    /// <summary>
    /// Whether momentum is plain, as it is with bitsandbytes, where <c>nesterov=True</c> has no effect: for the same numbers as sd-scripts.
    /// Default false: Nesterov's, as the name says.
    /// </summary>
    public bool PlainMomentum { get; init; }

    /// <inheritdoc/>
    public override string ReferenceName => ReferenceClass.With("bitsandbytes.optim.sgd.SGD8bit",
        ("momentum", Momentum, null), ("weight_decay", WeightDecay, 0.0));

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Momentum is not (> 0 and < 1)) yield return Problem(Momentum, "the momentum must lie between 0 and 1", "0.9 is customary");
        foreach (var problem in NotNegative(WeightDecay, "0 turns it off")) yield return problem;
    }

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new SGDOnVectors(this,
        new SGDOptions { Momentum = Momentum, WeightDecay = WeightDecay, Nesterov = !PlainMomentum }, groups,
        FlatSlot.EightBit("m", BlockwiseQuantization.Signed));
}

namespace StableTune.Optimizers;

/// <summary>Stochastic gradient descent with Nesterov's momentum: sd-scripts' name for <c>torch.optim.SGD</c> with
/// <c>nesterov=True</c>, and a momentum of 0.9 where none is given.</summary>
public sealed record SGDNesterovOptions : OptimizerOptions
{
    /// <summary>μ: how much of the last step's momentum is kept, in (0, 1). Default 0.9.</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>Weight decay, added to the gradient times the weight. Default 0.</summary>
    public double WeightDecay { get; init; }

    /// <inheritdoc/>
    /// <remarks>sd-scripts writes the momentum also where it set it itself.</remarks>
    public override string ReferenceName => ReferenceClass.With("torch.optim.sgd.SGD",
        ("momentum", Momentum, null), ("weight_decay", WeightDecay, 0.0));

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Momentum is not (> 0 and < 1)) yield return Problem(Momentum, "the momentum must lie between 0 and 1", "0.9 is customary");
        foreach (var problem in NotNegative(WeightDecay, "0 turns it off")) yield return problem;
    }

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new SGDOnVectors(
        this, new SGDOptions { Momentum = Momentum, WeightDecay = WeightDecay, Nesterov = true }, groups, FlatSlot.Zeros("m"));
}

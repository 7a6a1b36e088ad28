namespace StableTune.Optimizers;

/// <summary>RMSprop (Tieleman, Hinton: Lecture 6.5, 2012; centred as in Graves, arXiv:1308.0850), as <c>torch.optim.RMSprop</c>.</summary>
public sealed record RMSpropOptions : OptimizerOptions
{
    /// <summary>α, the decay of the mean of squared gradients, in [0, 1). Default 0.99.</summary>
    public double Alpha { get; init; } = 0.99;

    /// <summary>ε, added to the root; positive. Default 1e-8.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Weight decay, added to the gradient times the weight. Default 0.</summary>
    public double WeightDecay { get; init; }

    /// <summary>How much of the last steps is kept, in [0, 1). Default 0.</summary>
    public double Momentum { get; init; }

    /// <summary>Whether the mean gradient is taken off, so that the gradient is divided by its deviation. Default false.</summary>
    public bool Centered { get; init; }

    /// <inheritdoc/>
    public override string ReferenceName => ReferenceClass.With("torch.optim.rmsprop.RMSprop",
        ("alpha", Alpha, 0.99), ("eps", Epsilon, 1e-8), ("weight_decay", WeightDecay, 0.0), ("momentum", Momentum, 0.0),
        ("centered", Centered, false));

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() =>
    [
        .. Share(Alpha, "0.99"), .. Positive(Epsilon, "1e-8"), .. NotNegative(WeightDecay, "0 turns it off"), .. Share(Momentum, "0.9"),
    ];

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new RMSprop(this, groups);
}

/// <summary>
/// g ← g + wd·θ; s ← αs + (1 − α)g²; centred: ḡ ← αḡ + (1 − α)g, s' = s − ḡ², else s' = s; u = g/(√s' + ε); with momentum
/// b ← μb + u, u = b; θ ← θ − lr·u.
/// </summary>
internal sealed class RMSprop(RMSpropOptions options, IReadOnlyList<ParameterGroup> groups) : FlatOptimizer(options, groups,
[
    FlatSlot.Zeros("square"), .. options.Centered ? [FlatSlot.Zeros("mean")] : Array.Empty<FlatSlot>(),
    .. options.Momentum > 0 ? [FlatSlot.Zeros("momentum")] : Array.Empty<FlatSlot>(),
])
{
    protected override bool IsElementwise => true;

    protected override void Update(FlatUpdate update)
    {
        var (weights, gradients, square) = (update.Weights, update.GradientsWith(options.WeightDecay), update["square"]);
        square.mul_(options.Alpha).addcmul_(gradients, gradients, 1 - options.Alpha);
        var root = options.Centered ? Deviation(update["mean"], square, gradients) : square.sqrt();
        root.add_(options.Epsilon);
        if (options.Momentum > 0)
            weights.add_(update["momentum"].mul_(options.Momentum).addcdiv_(gradients, root), -update.LearningRate);
        else weights.addcdiv_(gradients, root, -update.LearningRate);
    }

    private Tensor Deviation(Tensor mean, Tensor square, Tensor gradients)
    {
        mean.mul_(options.Alpha).add_(gradients, 1 - options.Alpha);
        return square.addcmul(mean, mean, -1).sqrt_();
    }
}

namespace StableTune.Optimizers;

/// <summary>
/// Resilient backpropagation (Riedmiller, Braun, 1993), as <c>torch.optim.Rprop</c>: each number has a step size of its own, which grows
/// while its gradient keeps its sign. The learning rate is the first step size; schedules change nothing later. Made for gradients of all
/// images together, not for small batches.
/// </summary>
public sealed record RpropOptions : OptimizerOptions
{
    /// <summary>Factors of a step size when the sign turns, in (0, 1), and when it stays, above 1. Default 0.5 and 1.2.</summary>
    public (double Falling, double Rising) Etas { get; init; } = (0.5, 1.2);

    /// <summary>The smallest and the largest step size. Default 1e-6 and 50.</summary>
    public (double Smallest, double Largest) StepSizes { get; init; } = (1e-6, 50);

    /// <inheritdoc/>
    public override string ReferenceName => ReferenceClass.With("torch.optim.rprop.Rprop",
        ("etas", Etas, (0.5, 1.2)), ("step_sizes", StepSizes, (1e-6, 50.0)));

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (!(Etas.Falling is > 0 and < 1 && Etas.Rising is > 1 and < double.PositiveInfinity))
            yield return Problem(Etas, "the first must lie between 0 and 1, the second above 1", "(0.5, 1.2) is customary");
        if (!(StepSizes.Smallest > 0 && StepSizes.Largest >= StepSizes.Smallest && double.IsFinite(StepSizes.Largest)))
            yield return Problem(StepSizes, "both must be positive, the first the smaller one", "(1e-6, 50) is customary");
    }

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new Rprop(this, groups);
}

/// <summary>
/// Where g·g' > 0 (g' is the last step's) the step size s rises, where it is below 0 it falls and g counts as 0; θ ← θ − sign(g)·s; g' ← g.
/// </summary>
internal sealed class Rprop(RpropOptions options, IReadOnlyList<ParameterGroup> groups)
    : FlatOptimizer(options, groups, FlatSlot.Zeros("last"), FlatSlot.Zeros("size"))
{
    protected override bool IsElementwise => true;

    protected override void Update(FlatUpdate update)
    {
        var (last, size) = (update["last"], update["size"]);
        if (update.Step == 1) size.fill_(update.LearningRate);
        var agreement = last.mul_(update.Gradients);
        var (rises, falls) = (agreement > 0, agreement < 0);
        // 1 + b·(factor - 1) is the factor where b is 1, and 1 where it is 0.
        size.mul_((rises.to(ScalarType.Float32) * (options.Etas.Rising - 1)).add_(1))
            .mul_((falls.to(ScalarType.Float32) * (options.Etas.Falling - 1)).add_(1))
            .clamp_(options.StepSizes.Smallest, options.StepSizes.Largest);
        last.copy_(update.Gradients).masked_fill_(falls, 0);
        update.Weights.addcmul_(last.sign(), size, -1);
    }
}

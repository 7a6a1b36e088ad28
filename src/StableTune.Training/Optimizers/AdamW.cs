namespace StableTune.Optimizers;

/// <summary>Adam with decoupled weight decay (Loshchilov, Hutter: Decoupled Weight Decay Regularization, arXiv:1711.05101), as
/// torch.optim.AdamW.</summary>
public sealed record AdamWOptions : OptimizerOptions
{
    /// <summary>β₁, the decay of the mean of gradients, in [0, 1). Default 0.9.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>β₂, the decay of the mean of squared gradients, in [0, 1). Default 0.999.</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>ε, added to the root of the second moment. Default 1e-8.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Weight decay per unit of learning rate. Default 0.01.</summary>
    public double WeightDecay { get; init; } = 0.01;

    /// <summary>Whether the largest second moment so far is used instead of the present one (Reddi et al., arXiv:1904.09237). Default
    /// false.</summary>
    public bool AmsGrad { get; init; }

    /// <inheritdoc/>
    /// <remarks>As the reference, only what differs from torch's own defaults, in Python's spelling.</remarks>
    public override string ReferenceName
    {
        get
        {
            List<string> arguments = [];
            if (WeightDecay != 0.01) arguments.Add($"weight_decay={PythonRepr.Of(WeightDecay)}");
            if ((Beta1, Beta2) != (0.9, 0.999)) arguments.Add($"betas=({PythonRepr.Of(Beta1)}, {PythonRepr.Of(Beta2)})");
            if (Epsilon != 1e-8) arguments.Add($"eps={PythonRepr.Of(Epsilon)}");
            if (AmsGrad) arguments.Add("amsgrad=True");
            return "torch.optim.adamw.AdamW" + (arguments.Count == 0 ? "" : $"({string.Join(",", arguments)})");
        }
    }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Beta1 is not (>= 0 and < 1)) yield return Problem(Beta1, "beta 1 must lie in [0, 1)", "0.9 is customary");
        if (Beta2 is not (>= 0 and < 1)) yield return Problem(Beta2, "beta 2 must lie in [0, 1)", "0.999 is customary");
        if (Epsilon is not (> 0 and < double.PositiveInfinity))
            yield return Problem(Epsilon, "epsilon must be positive", "1e-8 is customary");
        if (WeightDecay is not (>= 0 and < double.PositiveInfinity))
            yield return Problem(WeightDecay, "the weight decay must not be negative", "0.01 is customary, 0 turns it off");
    }

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new AdamW(this, groups);
}

/// <summary>
/// θ ← θ(1 − lr·wd); m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; θ ← θ − lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε), t counted for each tensor.
/// Whole groups are updated by one operator each: an adapter has hundreds of small tensors.
/// </summary>
internal sealed class AdamW(AdamWOptions options, IReadOnlyList<ParameterGroup> groups)
    : StatefulOptimizer(groups, [OptimizerSlot.Zeros(First), OptimizerSlot.Zeros(Second),
        .. options.AmsGrad ? [OptimizerSlot.Zeros(Largest)] : Array.Empty<OptimizerSlot>()])
{
    private const string First = "m", Second = "v", Largest = "vmax";

    protected override void Update(OptimizerUpdate update)
    {
        var weights = update.Weights;
        // One step count serves all: the kernel only reads it.
        Tensor[] steps = [.. Enumerable.Repeat(full([], (float)update.Step, device: weights[0].device), weights.Length)];
        FusedAdamW.Step(
            new AdamWTensors(weights, update.Gradients, update.Slot(First), update.Slot(Second),
                options.AmsGrad ? update.Slot(Largest) : null, steps),
            new AdamWRates(update.LearningRate, options.Beta1, options.Beta2, options.Epsilon, update.Group.WeightDecay
                ?? options.WeightDecay));
    }
}

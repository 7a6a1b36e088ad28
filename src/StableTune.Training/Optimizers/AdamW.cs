namespace StableTune.Optimizers;

/// <summary>Adam with decoupled weight decay (Loshchilov, Hutter: Decoupled Weight Decay Regularization, arXiv:1711.05101), as
/// torch.optim.AdamW.</summary>
public sealed record AdamWOptions : AdamFamilyOptions
{
    /// <summary>Whether the largest second moment so far is used instead of the present one (Reddi et al., arXiv:1904.09237). Default
    /// false.</summary>
    public bool AmsGrad { get; init; }

    /// <inheritdoc/>
    protected override string ReferenceClass => "torch.optim.adamw.AdamW";

    /// <inheritdoc/>
    protected override IEnumerable<string> FurtherArguments => AmsGrad ? ["amsgrad=True"] : [];

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
        // Moments of float16 weights are float32, and the kernel wants one type: those weights are changed in a copy.
        Tensor[] changed = [.. weights.Select(weight => weight.dtype == ScalarType.Float16 ? weight.to(ScalarType.Float32) : weight)];
        Tensor[] gradients = [.. update.Gradients.Zip(changed, (gradient, weight) => gradient.As(weight.dtype))];
        // One step count serves all: the kernel only reads it.
        Tensor[] steps = [.. Enumerable.Repeat(full([], (float)update.Step, device: weights[0].device), weights.Length)];
        FusedAdamW.Step(
            new AdamWTensors(changed, gradients, update.Slot(First), update.Slot(Second),
                options.AmsGrad ? update.Slot(Largest) : null, steps),
            new AdamWRates(update.LearningRate, options.Beta1, options.Beta2, options.Epsilon, update.Group.WeightDecay
                ?? options.WeightDecay));
        foreach (var (weight, copy) in weights.Zip(changed).Where(pair => !ReferenceEquals(pair.First, pair.Second))) weight.copy_(copy);
    }
}

namespace StableTune.Optimizers;

/// <summary>
/// AdamW: θ ← θ(1 − lr·wd); m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; θ ← θ − lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε), t counted for
/// each tensor. Adam adds wd·θ to g in the place of the first. Whole groups are updated where they lie, on a GPU by one operator each: an
/// adapter has hundreds of small tensors. Moments are of the weights' type.
/// </summary>
internal sealed class AdamOnLists(AdamFamilyOptions options, IReadOnlyList<ParameterGroup> groups, bool decayIsCoupled, bool keepsLargest)
    : StatefulOptimizer(groups, [OptimizerSlot.Zeros(First), OptimizerSlot.Zeros(Second),
        .. keepsLargest ? [OptimizerSlot.Zeros(Largest)] : Array.Empty<OptimizerSlot>()])
{
    private const string First = "m", Second = "v", Largest = "vmax";

    private readonly FlatSlot[] _slots =
        [FlatSlot.Zeros(First), FlatSlot.Zeros(Second), .. keepsLargest ? [FlatSlot.Zeros(Largest)] : Array.Empty<FlatSlot>()];

    protected override void Update(OptimizerUpdate update)
    {
        if (!UsesOperators && TryUpdateOnHost(update)) return;
        var weights = update.Weights;
        var means = update.Slot(First);
        // The kernel wants one type: where moments are of another than the weights, these are changed in a copy.
        Tensor[] changed = [.. weights.Zip(means, (weight, mean) => weight.dtype == mean.dtype ? weight : weight.to(mean.dtype))];
        Tensor[] gradients = [.. update.Gradients.Zip(means, (gradient, mean) => gradient.to(mean.dtype))];
        // One step count serves all: the kernel only reads it.
        Tensor[] steps = [.. Enumerable.Repeat(full([], (float)update.Step, device: weights[0].device), weights.Length)];
        FusedAdamW.Step(
            new AdamWTensors(changed, gradients, means, update.Slot(Second),
                keepsLargest ? update.Slot(Largest) : null, steps),
            options.Rates(update.LearningRate, update.Group) with { DecayIsCoupled = decayIsCoupled });
        foreach (var (weight, copy) in weights.Zip(changed).Where(pair => !ReferenceEquals(pair.First, pair.Second))) weight.copy_(copy);
    }

    private bool TryUpdateOnHost(OptimizerUpdate update)
    {
        if (HostPlaces.Of(update, roundsAtRandom: false, _slots) is not { } parameters) return false;
        var formula = AdamFormula.Of(options, update.Step, update.LearningRate, update.Group, decayIsCoupled, keepsLargest);
        HostUpdate.Run(new ChangingPass<AdamFormula>(formula, 0), parameters, get_num_threads());
        GC.KeepAlive(update);
        return true;
    }
}

namespace StableTune.Optimizers;

/// <summary>Adam with the largest gradient in the place of the mean square (Kingma, Ba, arXiv:1412.6980, section 7.1), as
/// <c>torch.optim.Adamax</c>.</summary>
public sealed record AdamaxOptions : AdamFamilyOptions
{
    /// <summary>Adamax's defaults: no weight decay.</summary>
    public AdamaxOptions() => WeightDecay = 0;

    /// <inheritdoc/>
    protected override string ReferenceClass => "torch.optim.adamax.Adamax";

    /// <inheritdoc/>
    protected override double ReferenceWeightDecay => 0;

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new Adamax(this, groups);
}

/// <summary>g ← g + wd·θ; m ← β₁m + (1 − β₁)g; u ← max(β₂u, |g| + ε); θ ← θ − lr/(1 − β₁ᵗ) · m/u.</summary>
internal sealed class Adamax(AdamaxOptions options, IReadOnlyList<ParameterGroup> groups)
    : FlatOptimizer(options, groups, FlatSlot.Zeros("m"), FlatSlot.Zeros("largest"))
{
    protected override bool IsElementwise => true;

    protected override void Update(FlatUpdate update)
    {
        var (gradients, m, largest) = (update.GradientsWith(options.WeightDecay), update["m"], update["largest"]);
        m.mul_(options.Beta1).add_(gradients, 1 - options.Beta1);
        largest.mul_(options.Beta2);
        largest.copy_(largest.maximum(gradients.abs().add_(options.Epsilon)));
        update.Weights.addcdiv_(m, largest, -update.LearningRate / (1 - Math.Pow(options.Beta1, update.Step)));
    }
}

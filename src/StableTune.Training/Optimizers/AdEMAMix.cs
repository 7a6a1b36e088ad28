namespace StableTune.Optimizers;

/// <summary>AdamW with a second, slow mean of gradients, which old ones still count in; as <c>bitsandbytes.optim.AdEMAMix</c>.</summary>
/// <remarks>Pagliardini, Ablin, Grangier: The AdEMAMix Optimizer: Better, Faster, Older, arXiv:2409.03137.</remarks>
public sealed record AdEMAMixOptions : AdEMAMixFamilyOptions
{
    private protected override string ReferenceClassName => "AdEMAMix";

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new AdEMAMixOnVectors(
        this, groups, name => FlatSlot.Zeros(name), name => FlatSlot.Zeros(name));
}

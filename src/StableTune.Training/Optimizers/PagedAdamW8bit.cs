namespace StableTune.Optimizers;

/// <summary>
/// AdamW whose moments lie in host memory, in eight bits, and come to a GPU for the update only, as bitsandbytes' <c>PagedAdamW8bit</c>:
/// the numbers of <see cref="AdamW8bitOptions"/>.
/// </summary>
public sealed record PagedAdamW8bitOptions : AdamFamilyOptions
{
    /// <inheritdoc/>
    public override bool KeepsStateInHostMemory => true;

    /// <inheritdoc/>
    protected override string ReferenceClass => "bitsandbytes.optim.adamw.PagedAdamW8bit";

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => AdamOnVectors.EightBit(this, groups, inHostMemory: true);
}

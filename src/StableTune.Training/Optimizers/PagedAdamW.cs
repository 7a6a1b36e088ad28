namespace StableTune.Optimizers;

/// <summary>
/// AdamW whose moments lie in host memory, in float32, and come to a GPU for the update only, as bitsandbytes' <c>PagedAdamW</c>: the
/// numbers of <see cref="AdamWOptions"/>. On a CPU nothing lies elsewhere, and this is AdamW.
/// </summary>
public sealed record PagedAdamWOptions : AdamFamilyOptions
{
    /// <inheritdoc/>
    public override bool KeepsStateInHostMemory => true;

    /// <inheritdoc/>
    protected override string ReferenceClass => "bitsandbytes.optim.adamw.PagedAdamW";

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => AdamOnVectors.Plain(this, groups, inHostMemory: true);
}

/// <summary>bitsandbytes' <c>PagedAdamW32bit</c>: another name of <see cref="PagedAdamWOptions"/>, whose moments are in float32
/// too.</summary>
public sealed record PagedAdamW32bitOptions : AdamFamilyOptions
{
    /// <inheritdoc/>
    public override bool KeepsStateInHostMemory => true;

    /// <inheritdoc/>
    protected override string ReferenceClass => "bitsandbytes.optim.adamw.PagedAdamW32bit";

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => AdamOnVectors.Plain(this, groups, inHostMemory: true);
}

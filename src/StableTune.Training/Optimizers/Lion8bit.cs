namespace StableTune.Optimizers;

/// <summary>Lion that remembers its mean in eight bits, as bitsandbytes' <c>Lion8bit</c>: a byte for each weight. See
/// <see cref="EightBitSlot"/>.</summary>
public sealed record Lion8bitOptions : LionFamilyOptions
{
    private protected override string ReferenceClassName => "bitsandbytes.optim.lion.Lion8bit";

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) =>
        new LionOnVectors(this, groups, FlatSlot.EightBit("m", BlockwiseQuantization.Signed));
}

/// <summary>Lion whose mean lies in host memory, in eight bits, and comes to a GPU for the update only, as bitsandbytes'
/// <c>PagedLion8bit</c>: the numbers of <see cref="Lion8bitOptions"/>.</summary>
public sealed record PagedLion8bitOptions : LionFamilyOptions
{
    /// <inheritdoc/>
    public override bool KeepsStateInHostMemory => true;

    private protected override string ReferenceClassName => "bitsandbytes.optim.lion.PagedLion8bit";

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) =>
        new LionOnVectors(this, groups, FlatSlot.EightBit("m", BlockwiseQuantization.Signed, inHostMemory: true));
}

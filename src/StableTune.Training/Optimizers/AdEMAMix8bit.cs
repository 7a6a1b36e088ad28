namespace StableTune.Optimizers;

/// <summary>
/// AdEMAMix that remembers both means and the mean of squares in eight bits, with a scale for each 256 elements: 3 bytes for each weight
/// instead of 12. As bitsandbytes' <c>AdEMAMix8bit</c>; parameters below 4096 elements are remembered in float32.
/// </summary>
/// <remarks>
/// Pagliardini, Ablin, Grangier: The AdEMAMix Optimizer: Better, Faster, Older, arXiv:2409.03137; Dettmers et al.: 8-bit Optimizers via
/// Block-wise Quantization, arXiv:2110.02861. Weights decay before the step, as on bitsandbytes' CPU path.
/// </remarks>
public sealed record AdEMAMix8bitOptions : AdEMAMixFamilyOptions
{
    private protected override string ReferenceClassName => "AdEMAMix8bit";

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => Create(this, groups, inHostMemory: false);

    /// <summary>The optimizer with eight bits.</summary>
    internal static IOptimizer Create(AdEMAMixFamilyOptions options, IReadOnlyList<ParameterGroup> groups, bool inHostMemory) =>
        new AdEMAMixOnVectors(options, groups, name => FlatSlot.EightBit(name, BlockwiseQuantization.Signed, inHostMemory),
            name => FlatSlot.EightBit(name, BlockwiseQuantization.Unsigned, inHostMemory));
}

/// <summary>
/// AdEMAMix in eight bits whose state lies in host memory and comes to the GPU for the update only. The numbers are those of
/// <see cref="AdEMAMix8bitOptions"/>; as bitsandbytes' <c>PagedAdEMAMix8bit</c>.
/// </summary>
public sealed record PagedAdEMAMix8bitOptions : AdEMAMixFamilyOptions
{
    /// <inheritdoc/>
    public override bool KeepsStateInHostMemory => true;

    private protected override string ReferenceClassName => "PagedAdEMAMix8bit";

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) =>
        AdEMAMix8bitOptions.Create(this, groups, inHostMemory: true);
}

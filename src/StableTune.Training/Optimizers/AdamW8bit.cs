namespace StableTune.Optimizers;

/// <summary>
/// AdamW that remembers both moments in eight bits, with a scale for each 256 elements: 2 bytes for each weight instead of 8. As
/// bitsandbytes' <c>AdamW8bit</c>; parameters below 4096 elements are remembered in float32.
/// </summary>
/// <remarks>
/// Loshchilov, Hutter: Decoupled Weight Decay Regularization, arXiv:1711.05101; Dettmers et al.: 8-bit Optimizers via Block-wise
/// Quantization, arXiv:2110.02861. Weights decay before the step, as on bitsandbytes' CPU path and in torch; bitsandbytes' CUDA kernels let
/// them decay after it.
/// </remarks>
public sealed record AdamW8bitOptions : AdamFamilyOptions
{
    /// <inheritdoc/>
    protected override string ReferenceClass => "bitsandbytes.optim.adamw.AdamW8bit";

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => AdamOnVectors.EightBit(this, groups);
}

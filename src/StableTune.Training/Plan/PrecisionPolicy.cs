namespace StableTune;

/// <summary>
/// In which number formats a run works: the frozen base weights, the trained weights, and the matrix products. Norms,
/// softmax and losses are computed in float32 whatever the policy, as autocast does.
/// </summary>
/// <param name="Weights">The frozen base weights.</param>
/// <param name="Trainable">The trained weights, their gradients and the optimizer's state.</param>
/// <param name="Compute">Convolutions and matrix products. Must equal <paramref name="Weights"/>: weights are not converted anew in every layer.</param>
public sealed record PrecisionPolicy(ScalarType Weights, ScalarType Trainable, ScalarType Compute)
{
    /// <summary>Everything in float32 (sd-scripts: <c>mixed_precision="no"</c>).</summary>
    public static PrecisionPolicy Float32 { get; } = new(ScalarType.Float32, ScalarType.Float32, ScalarType.Float32);

    /// <summary>Base weights and matrix products in bfloat16, trained weights in float32 (sd-scripts: <c>mixed_precision="bf16"</c>).</summary>
    public static PrecisionPolicy BFloat16 { get; } = new(ScalarType.BFloat16, ScalarType.Float32, ScalarType.BFloat16);

    /// <summary>The name sd-scripts gives the policy in metadata: "no" or "bf16".</summary>
    public string ReferenceName => Compute == ScalarType.BFloat16 ? "bf16" : "no";

    internal bool IsSupported => this == Float32 || this == BFloat16;
}

namespace StableTune;

/// <summary>
/// In which number formats a run works: the frozen base weights, the trained weights, and the matrix products. Norms,
/// softmax and losses are computed in float32 whatever the policy, as autocast does.
/// </summary>
/// <param name="Weights">The frozen base weights.</param>
/// <param name="Trainable">The trained weights, their gradients and the optimizer's state.</param>
/// <param name="Compute">Convolutions and matrix products. Weights of another type are cast where they are used.</param>
public sealed record PrecisionPolicy(ScalarType Weights, ScalarType Trainable, ScalarType Compute)
{
    internal const string Advice = "use PrecisionPolicy.Float32, PrecisionPolicy.BFloat16 or PrecisionPolicy.FullBFloat16";

    /// <summary>Everything in float32 (sd-scripts: <c>mixed_precision="no"</c>).</summary>
    public static PrecisionPolicy Float32 { get; } = new(ScalarType.Float32, ScalarType.Float32, ScalarType.Float32);

    /// <summary>Base weights and matrix products in bfloat16, trained weights in float32 (sd-scripts:
    /// <c>mixed_precision="bf16"</c>).</summary>
    public static PrecisionPolicy BFloat16 { get; } = new(ScalarType.BFloat16, ScalarType.Float32, ScalarType.BFloat16);

    /// <summary>Everything in bfloat16, trained weights too (sd-scripts: <c>full_bf16</c>): half the memory, and coarser steps.</summary>
    public static PrecisionPolicy FullBFloat16 { get; } = new(ScalarType.BFloat16, ScalarType.BFloat16, ScalarType.BFloat16);

    /// <summary>The name sd-scripts gives the policy in metadata: "no" or "bf16".</summary>
    public string ReferenceName => Compute switch { ScalarType.BFloat16 => "bf16", ScalarType.Float16 => "fp16", _ => "no" };

    /// <summary>Trained weights are never held in less than they are computed in, and float16 needs loss scaling, which is not there
    /// yet.</summary>
    internal bool IsSupported =>
        Weights is ScalarType.Float32 or ScalarType.BFloat16 && Compute is ScalarType.Float32 or ScalarType.BFloat16
        && (Trainable == ScalarType.Float32 || this == FullBFloat16);
}

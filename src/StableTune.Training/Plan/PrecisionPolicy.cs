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
    internal const string Advice = "use PrecisionPolicy.Float32, BFloat16, Float16, FullBFloat16 or FullFloat16";

    /// <summary>Everything in float32 (sd-scripts: <c>mixed_precision="no"</c>).</summary>
    public static PrecisionPolicy Float32 { get; } = new(ScalarType.Float32, ScalarType.Float32, ScalarType.Float32);

    /// <summary>Base weights and matrix products in bfloat16, trained weights in float32 (sd-scripts:
    /// <c>mixed_precision="bf16"</c>).</summary>
    public static PrecisionPolicy BFloat16 { get; } = new(ScalarType.BFloat16, ScalarType.Float32, ScalarType.BFloat16);

    /// <summary>Everything in bfloat16, trained weights too (sd-scripts: <c>full_bf16</c>): half the memory, and coarser steps.</summary>
    public static PrecisionPolicy FullBFloat16 { get; } = new(ScalarType.BFloat16, ScalarType.BFloat16, ScalarType.BFloat16);

    /// <summary>Base weights and matrix products in float16, trained weights in float32 (sd-scripts: <c>mixed_precision="fp16"</c>). The
    /// loss is scaled, see <see cref="LossScalingOptions"/>.</summary>
    public static PrecisionPolicy Float16 { get; } = new(ScalarType.Float16, ScalarType.Float32, ScalarType.Float16);

    /// <summary>Everything in float16, trained weights and gradients too (sd-scripts: <c>full_fp16</c>): half the memory, and unstable, as
    /// small gradients and small changes of weights vanish. The loss is scaled, and gradients are divided by the scale in place.</summary>
    public static PrecisionPolicy FullFloat16 { get; } = new(ScalarType.Float16, ScalarType.Float16, ScalarType.Float16);

    /// <summary>The name sd-scripts gives the policy in metadata: "no", "fp16" or "bf16".</summary>
    public string ReferenceName => Compute switch { ScalarType.BFloat16 => "bf16", ScalarType.Float16 => "fp16", _ => "no" };

    /// <summary>Whether the loss is scaled: gradients in float16 are.</summary>
    internal bool ScalesLoss => Compute == ScalarType.Float16;

    /// <summary>Trained weights are never held in less than they are computed in, and the two half formats are not mixed.</summary>
    internal bool IsSupported =>
        Weights is ScalarType.Float32 or ScalarType.BFloat16 or ScalarType.Float16
        && Compute is ScalarType.Float32 or ScalarType.BFloat16 or ScalarType.Float16
        && (Weights == Compute || Weights == ScalarType.Float32 || Compute == ScalarType.Float32)
        && (Trainable == ScalarType.Float32 || this == FullBFloat16 || this == FullFloat16);
}

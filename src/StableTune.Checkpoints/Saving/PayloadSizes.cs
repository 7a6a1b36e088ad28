using StableTune.Formats;

namespace StableTune.Checkpoints;

/// <summary>Sizes and types of what is to be written.</summary>
internal static class PayloadSizes
{
    /// <summary>The bytes of a tensor.</summary>
    /// <exception cref="OverflowException">The shape is impossible.</exception>
    public static long ByteCount(this TensorPayload tensor) =>
        tensor.Shape.Aggregate((long)tensor.DType.Size(), (size, length) => checked(size * length));

    /// <summary>The type of floating-point weights as torch names it; null when there are several, or none.</summary>
    public static string? TypeName(IEnumerable<TensorPayload> tensors) =>
        tensors.Select(tensor => tensor.DType).Where(type => type is TensorDType.F32 or TensorDType.F16 or TensorDType.BF16).Distinct()
            .ToArray() is [var one]
            ? one switch { TensorDType.F16 => "float16", TensorDType.BF16 => "bfloat16", _ => "float32" } : null;
}

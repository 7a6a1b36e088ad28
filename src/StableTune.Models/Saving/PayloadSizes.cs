using StableTune.Formats;

namespace StableTune.Models;

/// <summary>Sizes of what is to be written.</summary>
internal static class PayloadSizes
{
    /// <summary>The bytes of a tensor.</summary>
    /// <exception cref="OverflowException">The shape is impossible.</exception>
    public static long ByteCount(this TensorPayload tensor) => tensor.Shape.Aggregate((long)tensor.DType.Size(), (size, length) => checked(size * length));
}

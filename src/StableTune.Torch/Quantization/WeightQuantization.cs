namespace StableTune.Torch;

/// <summary>
/// A way to hold frozen weights in fewer bits than they are computed in. Each product makes the weight again from its codes, in the type
/// that it computes in, and lets it go: only the codes stay.
/// </summary>
/// <remarks>A way of your own is a record derived from this one.</remarks>
public abstract record WeightQuantization
{
    /// <summary>8-bit floating-point numbers with 4 bits of exponent and 3 of mantissa (e4m3fn), without a scale: sd-scripts'
    /// <c>fp8_base</c>. See <see cref="Float8Quantization"/>.</summary>
    public static WeightQuantization Float8 { get; } = new Float8Quantization();

    /// <summary>8-bit whole numbers with a scale for each output. See <see cref="Int8Quantization"/>.</summary>
    public static WeightQuantization Int8 { get; } = new Int8Quantization();

    /// <summary>4-bit codes of normally distributed numbers with a scale for each 64. See <see cref="NormalFloat4Quantization"/>.</summary>
    public static WeightQuantization NormalFloat4 { get; } = new NormalFloat4Quantization();

    /// <summary>The known ways by name: <c>fp8</c>, <c>int8</c>, <c>nf4</c>. A host adds its own with
    /// <see cref="Catalog{T}.With"/>.</summary>
    public static Catalog<WeightQuantization> Catalog { get; } = new Catalog<WeightQuantization>("quantisation of weights")
        .With(Float8.Name, () => Float8).With(Int8.Name, () => Int8).With(NormalFloat4.Name, () => NormalFloat4);

    /// <summary>What it is called in options and messages: "fp8".</summary>
    public abstract string Name { get; }

    /// <summary>The bits that a number takes on average, its part of the scales included.</summary>
    public abstract double BitsPerWeight { get; }

    /// <summary>Makes codes of a weight.</summary>
    /// <param name="weight">Floating-point, [out, ...]; finite.</param>
    /// <returns>Codes and scales, in the open dispose scope, on the weight's device.</returns>
    public abstract QuantizedCodes Encode(Tensor weight);

    /// <summary>Makes a weight of its codes.</summary>
    /// <param name="codes">What <see cref="Encode"/> gave.</param>
    /// <param name="shape">The weight's sizes, [out, ...].</param>
    /// <param name="type">The floating-point type of the result.</param>
    /// <returns>A fresh tensor of the shape, in the open dispose scope.</returns>
    public abstract Tensor Decode(QuantizedCodes codes, long[] shape, ScalarType type);
}

/// <summary>A weight in fewer bits.</summary>
/// <param name="Codes">A code for each number, or several in a byte.</param>
/// <param name="Scales">What the numbers of the codes are multiplied by; null where the codes say all.</param>
public sealed record QuantizedCodes(Tensor Codes, Tensor? Scales);

namespace StableTune.Torch;

/// <summary>
/// 8-bit floating-point numbers e4m3fn: 4 bits of exponent, 3 of mantissa, no infinities, up to ±448; rounded to the nearest, and not
/// scaled, as sd-scripts' <c>fp8_base</c> has it.
/// </summary>
/// <remarks>
/// Micikevicius et al., FP8 formats for deep learning, arXiv:2209.05433. A number is off by at most a sixteenth of itself from 2⁻⁶ on, and
/// by at most 2⁻¹⁰ below. Numbers beyond ±448, which weights never reach, become ±448.
/// </remarks>
public sealed record Float8Quantization : WeightQuantization
{
    /// <summary>The largest number of the format.</summary>
    private const double Largest = 448;

    /// <summary>libtorch's number for the type, which TorchSharp has no name for.</summary>
    private const ScalarType E4M3 = (ScalarType)24;

    /// <inheritdoc/>
    public override string Name => "fp8";

    /// <inheritdoc/>
    public override double BitsPerWeight => 8;

    /// <inheritdoc/>
    public override QuantizedCodes Encode(Tensor weight)
    {
        ArgumentNullException.ThrowIfNull(weight);
        using var scope = NewDisposeScope();
        return new QuantizedCodes(weight.detach().clamp(-Largest, Largest).contiguous().to(E4M3).MoveToOuterDisposeScope(), null);
    }

    /// <inheritdoc/>
    public override Tensor Decode(QuantizedCodes codes, long[] shape, ScalarType type)
    {
        ArgumentNullException.ThrowIfNull(codes);
        return codes.Codes.to(type);
    }
}

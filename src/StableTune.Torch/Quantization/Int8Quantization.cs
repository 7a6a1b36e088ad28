namespace StableTune.Torch;

/// <summary>
/// Whole numbers from -127 to 127 with a scale for each output: its largest absolute value / 127. A number is off by at most half a scale.
/// </summary>
/// <remarks>Dettmers et al., LLM.int8(), arXiv:2208.07339, section 3: vector-wise absmax quantisation, of the weights alone.</remarks>
public sealed record Int8Quantization : WeightQuantization
{
    private const double Largest = 127;

    /// <inheritdoc/>
    public override string Name => "int8";

    /// <inheritdoc/>
    public override double BitsPerWeight => 8.05;

    /// <inheritdoc/>
    public override QuantizedCodes Encode(Tensor weight)
    {
        ArgumentNullException.ThrowIfNull(weight);
        using var scope = NewDisposeScope();
        var rows = weight.detach().to(ScalarType.Float32).reshape(weight.shape[0], -1);                 // [out, n]
        var scales = rows.abs().amax([1], keepdim: true) / Largest;                                     // [out, 1]
        // A row of zeros has no scale; its codes are 0 whatever they are divided by.
        var divisors = scales.masked_fill(scales.eq(0), 1);
        var codes = (rows / divisors).round().to(ScalarType.Int8).reshape(weight.shape);
        return new QuantizedCodes(codes.MoveToOuterDisposeScope(), scales.MoveToOuterDisposeScope());
    }

    /// <inheritdoc/>
    public override Tensor Decode(QuantizedCodes codes, long[] shape, ScalarType type)
    {
        ArgumentNullException.ThrowIfNull(codes);
        using var scope = NewDisposeScope();
        // In place: there is no second copy of the weight's size in float32.
        var numbers = codes.Codes.to(ScalarType.Float32);
        numbers.reshape(numbers.shape[0], -1).mul_(codes.Scales!);
        return numbers.to(type).MoveToOuterDisposeScope();
    }
}

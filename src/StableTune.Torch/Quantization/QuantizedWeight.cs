namespace StableTune.Torch;

/// <summary>A frozen weight that is held as codes, and made again where it is used.</summary>
public sealed class QuantizedWeight : IDisposable
{
    private readonly QuantizedCodes _codes;

    /// <summary>Makes codes of a weight, which stays the caller's.</summary>
    /// <param name="weight">Floating-point, [out, ...], with finite numbers.</param>
    /// <param name="quantization">How.</param>
    public QuantizedWeight(Tensor weight, WeightQuantization quantization)
    {
        ArgumentNullException.ThrowIfNull(weight);
        ArgumentNullException.ThrowIfNull(quantization);
        (Quantization, Shape) = (quantization, weight.shape);
        using var frozen = no_grad();
        _codes = quantization.Encode(weight);
        foreach (var tensor in Tensors) tensor.DetachFromDisposeScope();
    }

    /// <summary>How the weight is held.</summary>
    public WeightQuantization Quantization { get; }

    /// <summary>The weight's sizes, [out, ...].</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>Memory of codes and scales, bytes.</summary>
    public long Bytes => Tensors.Sum(tensor => tensor.numel() * tensor.element_size());

    /// <summary>Codes and scales.</summary>
    internal IEnumerable<Tensor> Tensors => _codes.Scales is null ? [_codes.Codes] : [_codes.Codes, _codes.Scales];

    /// <summary>The weight as its codes have it.</summary>
    /// <param name="type">A floating-point type.</param>
    /// <returns>A fresh tensor without gradient, in the open dispose scope, where the codes lie.</returns>
    public Tensor Dequantize(ScalarType type)
    {
        using var frozen = no_grad();
        return Quantization.Decode(_codes, [.. Shape], type);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in Tensors) tensor.Dispose();
    }
}

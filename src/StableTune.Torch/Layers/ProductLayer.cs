namespace StableTune.Torch;

/// <summary>A layer that multiplies its input by a weight: <see cref="Linear"/> and <see cref="Conv2d"/>. A frozen weight can be held in
/// fewer bits (<see cref="Quantize"/>).</summary>
public abstract class ProductLayer : Layer
{
    private Parameter _weight;
    private Parameter? _bias;

    private protected ProductLayer(string name, long[] weightShape, bool hasBias) : base(name)
    {
        _weight = LayerInitialization.Uninitialized(weightShape);
        _bias = hasBias ? LayerInitialization.Uninitialized(weightShape[0]) : null;
        LayerInitialization.Draw(_weight, _bias);
        register_parameter(nameof(weight), _weight);
        if (_bias is not null) register_parameter(nameof(bias), _bias);
    }

    /// <summary>
    /// The weight, [out, in] or [out, in / groups, kernel, kernel]. Of a layer whose weight is held as codes it says type, shape and device
    /// alone: its numbers are NaN, and <see cref="Quantized"/> has the weight.
    /// </summary>
    public Parameter weight
    {
        get => _weight;
        set
        {
            _weight = Replace(nameof(weight), _weight, value)!;
            Quantized?.Dispose();
            Quantized = null;
        }
    }

    /// <summary>The bias, [out], or null.</summary>
    public Parameter? bias { get => _bias; set => _bias = Replace(nameof(bias), _bias, value); }

    /// <summary>The weight as codes; null for a weight that is held as numbers.</summary>
    public QuantizedWeight? Quantized { get; private set; }

    /// <summary>Holds the frozen weight as codes from now on, and frees its numbers.</summary>
    /// <param name="quantization">How.</param>
    /// <exception cref="InvalidOperationException">The weight wants a gradient, or is held as codes already.</exception>
    public void Quantize(WeightQuantization quantization)
    {
        ArgumentNullException.ThrowIfNull(quantization);
        if (_weight.requires_grad)
            throw new InvalidOperationException(
                $"The weight of {this.GetName()} is trained: only frozen weights can be held in {quantization.Name}.");
        if (Quantized is { } held)
            throw new InvalidOperationException(
                $"The weight of {this.GetName()} is held in {held.Quantization.Name} already: call Dequantize() first.");
        Quantized = new QuantizedWeight(_weight, quantization);
        StandIn(_weight.device);
    }

    /// <summary>Holds the weight as numbers again: those that its codes stand for. Does nothing where it is.</summary>
    public void Dequantize()
    {
        if (Quantized is not { } held) return;
        using var scope = NewDisposeScope();
        _weight.SetData(held.Dequantize(_weight.dtype));
        held.Dispose();
        Quantized = null;
    }

    /// <summary>Says of a weight that is held as codes that it lies on a device.</summary>
    internal void StandIn(Device device)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        _weight.SetData(full(1, double.NaN, dtype: _weight.dtype, device: device).expand(_weight.shape));
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) Quantized?.Dispose();
        base.Dispose(disposing);
    }
}

namespace StableTune.Adapters;

/// <summary>What DoRA's magnitudes belong to: the rows or the columns of the weight.</summary>
internal enum DecomposedAxis
{
    Outputs,
    Inputs,
}

/// <summary>
/// DoRA: the adapted weight is a trained magnitude for each output (or input channel) times a direction,
/// W' = M ⊙ (W + ΔW) / ‖W + ΔW‖. With a multiplier m the factor f = M / ‖W + ΔW‖ becomes m (f − 1) + 1, while ΔW keeps its strength, as
/// LyCORIS has it.
/// </summary>
/// <remarks>Liu et al., DoRA: weight-decomposed low-rank adaptation, arXiv:2402.09353.</remarks>
internal sealed class WeightDecomposition
{
    /// <summary>The spacing of float32 at 1, which LyCORIS adds to the norm.</summary>
    private const double Epsilon = 1.1920928955078125e-7;

    private readonly AdaptedLayer _layer;
    private readonly DecomposedAxis _axis;
    private readonly Func<Tensor, Tensor> _product;
    private readonly Func<LowRankProduct>? _lowRank;
    private readonly bool _detachesNorm;

    /// <summary>Starts at the frozen weight's own norms, so that nothing is changed.</summary>
    /// <param name="layer">The frozen layer.</param>
    /// <param name="axis">What the magnitudes belong to.</param>
    /// <param name="product">ΔW of the adapter, given the frozen weight.</param>
    /// <param name="lowRank">ΔW as two factors, which spare the making of W + ΔW; null where it is no such product.</param>
    /// <param name="detachesNorm">Whether the norm counts as a constant in the backward pass, as PEFT has it.</param>
    public WeightDecomposition(AdaptedLayer layer, DecomposedAxis axis, Func<Tensor, Tensor> product, Func<LowRankProduct>? lowRank,
        bool detachesNorm)
    {
        (_layer, _axis, _product, _lowRank, _detachesNorm) = (layer, axis, product, lowRank, detachesNorm);
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        Magnitude = LayerInitialization.NewParameter(Norms(NetworkAdapter.Precise(layer.Values())));
    }

    /// <summary>The magnitudes: [out, 1, ...] or [1, in, ...]. Belongs to the adapter that registers it.</summary>
    public Parameter Magnitude { get; }

    /// <summary>What the layer computes with the decomposed weight, from its own output and the adapter's term.</summary>
    /// <param name="input">The layer's input.</param>
    /// <param name="original">What the layer computes without the adapter.</param>
    /// <param name="term">What ΔW adds to the output.</param>
    /// <param name="multiplier">How strongly the adapter acts.</param>
    /// <returns>A fresh tensor in the output's type.</returns>
    public Tensor Forward(Tensor input, Func<Tensor, Tensor> original, Func<Tensor, Tensor> term, float multiplier)
    {
        using var scope = NewDisposeScope();
        Tensor Scale(Tensor magnitude) => Factor(magnitude, NormsOfSum(NetworkAdapter.Precise(_layer.Values())), multiplier);
        // What would be kept of the weight's size is made again in the backward pass; of two factors there is nothing but the weight.
        var keepsNothing = _lowRank is not null && _layer.Weight.dtype == ScalarType.Float32 && !_layer.IsQuantized;
        var factor = keepsNothing ? Scale(Magnitude) : ActivationCheckpoint.RunDeterministic(inputs => Scale(inputs[0]), Magnitude);
        if (_axis == DecomposedAxis.Inputs)
        {
            var scaled = input * OverChannels(factor, factor.shape[1]).As(input.dtype);
            var result = original(scaled);
            return (result + term(scaled).As(result.dtype)).MoveToOuterDisposeScope();
        }

        // The bias is not a part of the weight: f (y − b + term) + b, written so that little is rounded away where f is near 1.
        var output = original(input);
        var product = _layer.Bias is { } bias ? output - OverChannels(bias, bias.shape[0]).As(output.dtype) : output;
        var rows = OverChannels(factor, factor.shape[0]);
        var change = product * (rows - 1).As(output.dtype) + term(input).As(output.dtype) * rows.As(output.dtype);
        return (output + change).MoveToOuterDisposeScope();
    }

    /// <summary>W' − W.</summary>
    /// <param name="weight">The frozen weight in float32.</param>
    /// <param name="product">ΔW.</param>
    /// <param name="multiplier">How strongly the adapter acts.</param>
    public Tensor Change(Tensor weight, Tensor product, float multiplier)
    {
        using var scope = NewDisposeScope();
        var sum = weight + product;
        return (sum * Factor(Magnitude, Norms(sum), multiplier) - weight).MoveToOuterDisposeScope();
    }

    private Tensor NormsOfSum(Tensor weight)
    {
        using var scope = NewDisposeScope();
        var norms = _lowRank?.Invoke().NormsOfSum(weight, _axis) ?? Norms(weight + _product(weight));
        return norms.MoveToOuterDisposeScope();
    }

    private Tensor Factor(Tensor magnitude, Tensor norms, float multiplier)
    {
        using var scope = NewDisposeScope();
        if (_detachesNorm) norms = norms.detach();
        var factor = magnitude / (norms + Epsilon);
        return (multiplier == 1 ? factor : (factor - 1) * multiplier + 1).MoveToOuterDisposeScope();
    }

    /// <summary>The Frobenius norm over all dimensions but the axis, which keep the size 1.</summary>
    private Tensor Norms(Tensor weight)
    {
        using var scope = NewDisposeScope();
        var axis = _axis == DecomposedAxis.Outputs ? 0 : 1;
        long[] others = [.. Enumerable.Range(0, (int)weight.dim()).Where(dimension => dimension != axis).Select(d => (long)d)];
        return linalg.vector_norm(weight, 2, others, keepdim: true).MoveToOuterDisposeScope();
    }

    /// <summary>[n] in the shape that broadcasts over the layer's channels: [n], or [n, 1, 1] of a convolution.</summary>
    private Tensor OverChannels(Tensor values, long count) =>
        _layer.Shape is LinearShape ? values.reshape(count) : values.reshape(count, 1, 1);
}

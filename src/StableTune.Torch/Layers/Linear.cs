using System.Runtime.InteropServices;

namespace StableTune.Torch;

/// <summary>y = x · weightᵀ + bias, computed in the type of x.</summary>
/// <remarks>
/// As <c>torch.nn.Linear</c>, with two differences: a frozen weight keeps no input for the backward pass, and a weight of another type than
/// the input is cast where it is used, as autocast does, so that a trained weight may be held in float32 while the network computes in
/// bfloat16.
/// </remarks>
public sealed class Linear : ProductLayer
{
    /// <summary>Creates the layer, initialised as PyTorch does: weight and bias uniform within ±1/√in.</summary>
    /// <param name="inFeatures">Width of the input.</param>
    /// <param name="outFeatures">Width of the output.</param>
    /// <param name="hasBias">Whether a bias is added.</param>
    public Linear(long inFeatures, long outFeatures, bool hasBias = true) : base(nameof(Linear), [outFeatures, inFeatures], hasBias) =>
        (in_features, out_features) = (inFeatures, outFeatures);

    /// <summary>Width of the input.</summary>
    public long in_features { get; }

    /// <summary>Width of the output.</summary>
    public long out_features { get; }

    /// <summary>Applies the layer to the last dimension.</summary>
    /// <param name="input">[..., in].</param>
    /// <returns>[..., out], of the input's type.</returns>
    /// <exception cref="TorchException">The input has another width.</exception>
    public override Tensor forward(Tensor input) => IsWrapped ? Wrapped(input, Compute) : Compute(input);

    private Tensor Compute(Tensor input)
    {
        try
        {
            return Quantized is { } codes ? Products.Linear(input, codes, TappedParameter.Of(bias))
                : Products.Linear(input, TappedParameter.Of(weight)!, TappedParameter.Of(bias));
        }
        catch (ExternalException e)
        {
            throw new TorchException($"Linear {in_features} to {out_features}", e, input, weight);
        }
    }
}

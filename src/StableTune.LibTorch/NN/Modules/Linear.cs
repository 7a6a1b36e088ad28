using static StableTune.LibTorch.torch;

namespace StableTune.LibTorch.Modules;

/// <summary>y = x · weightᵀ + bias.</summary>
public sealed class Linear : nn.Module<Tensor, Tensor>
{
    /// <summary>Creates the layer, initialised as PyTorch does: weight and bias uniform within ±1/√in.</summary>
    /// <param name="inputSize">Width of the input.</param>
    /// <param name="outputSize">Width of the output.</param>
    /// <param name="hasBias">Whether a bias is added.</param>
    /// <param name="device">Where the weights live; null for the CPU.</param>
    /// <param name="dtype">Type of the weights; null for float32. The input must have the same.</param>
    /// <param name="generator">What the initial values are drawn from; null for the global generator.</param>
    public Linear(long inputSize, long outputSize, bool hasBias = true, Device? device = null, ScalarType? dtype = null, Generator? generator = null)
        : base(nameof(Linear))
    {
        in_features = inputSize;
        out_features = outputSize;
        weight = nn.Uninitialized([outputSize, inputSize], dtype, device);
        register_parameter(nameof(weight), weight);
        if (hasBias)
        {
            bias = nn.Uninitialized([outputSize], dtype, device);
            register_parameter(nameof(bias), bias);
        }
        nn.InitialiseAffine(weight, bias, generator);
    }

    /// <summary>The weights, [out, in].</summary>
    public Parameter weight { get; }

    /// <summary>The bias, [out], or null.</summary>
    public Parameter? bias { get; }

    /// <summary>Width of the input.</summary>
    public long in_features { get; }

    /// <summary>Width of the output.</summary>
    public long out_features { get; }

    /// <summary>Applies the layer to the last dimension.</summary>
    /// <param name="input">[..., in], of the weights' dtype.</param>
    /// <returns>[..., out].</returns>
    public override Tensor forward(Tensor input) => nn.functional.linear(input, weight, bias);
}

namespace StableTune.Torch;

/// <summary>Activations that TorchSharp lacks.</summary>
public static class Activations
{
    private static readonly Operator Gelu = new("aten::gelu");

    /// <summary>0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))), the other approximation of GELU.</summary>
    /// <param name="input">Any shape, floating-point.</param>
    /// <returns>As the input.</returns>
    /// <remarks>Hendrycks and Gimpel, arXiv:1606.08415, section 2.</remarks>
    public static Tensor TanhGelu(Tensor input) => Gelu.Call(input, "tanh");

    /// <summary>x · sigmoid(1.702 · x), the approximation of GELU that OpenAI's CLIP was trained with.</summary>
    /// <param name="input">Any shape, floating-point.</param>
    /// <returns>As the input.</returns>
    /// <remarks>Hendrycks and Gimpel, arXiv:1606.08415, section 2.</remarks>
    public static Tensor QuickGelu(Tensor input)
    {
        ArgumentNullException.ThrowIfNull(input);
        using var scope = NewDisposeScope();
        return (input * (input * 1.702).sigmoid()).MoveToOuterDisposeScope();
    }
}

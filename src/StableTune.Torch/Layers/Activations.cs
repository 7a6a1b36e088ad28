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

    /// <summary>a · gelu(b), where a and b are the halves of the last dimension. The backward pass computes the GELU again: nothing
    /// but the input is kept for it.</summary>
    /// <param name="input">[..., 2D], floating-point.</param>
    /// <returns>[..., D], of the input's type.</returns>
    /// <exception cref="ArgumentNullException">There is no input.</exception>
    /// <exception cref="ArgumentException">The last dimension is odd, or there is none.</exception>
    /// <remarks>Shazeer, GLU variants improve transformer, arXiv:2002.05202. The exact (erf) GELU, in float32 where the type is
    /// narrower.</remarks>
    public static Tensor GatedGelu(Tensor input)
    {
        ArgumentNullException.ThrowIfNull(input);
        if (input.dim() == 0 || input.size(-1) % 2 != 0)
            throw new ArgumentException($"a tensor of [{string.Join(", ", input.shape)}] has no halves: its last dimension must be even.",
                nameof(input));
        return Torch.GatedGelu.Apply(input);
    }

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

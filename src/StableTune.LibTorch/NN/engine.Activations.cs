namespace StableTune.LibTorch;

public static partial class engine
{
    /// <summary>x · sigmoid(1.702 · x), the approximation of GELU that OpenAI's CLIP was trained with.</summary>
    /// <param name="input">Any shape, floating-point.</param>
    /// <returns>As the input.</returns>
    /// <remarks>Hendrycks and Gimpel, arXiv:1606.08415, section 2.</remarks>
    public static torch.Tensor quick_gelu(torch.Tensor input)
    {
        ArgumentNullException.ThrowIfNull(input);
        using var scope = torch.NewDisposeScope();
        return (input * (input * 1.702).sigmoid()).MoveToOuterDisposeScope();
    }
}

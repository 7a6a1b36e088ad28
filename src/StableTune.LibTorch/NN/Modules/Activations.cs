using static StableTune.LibTorch.torch;

namespace StableTune.LibTorch.Modules;

/// <summary>x · sigmoid(x), also called swish.</summary>
public sealed class SiLU : nn.Module<Tensor, Tensor>
{
    /// <summary>Creates the activation.</summary>
    /// <param name="inplace">Whether the input itself is changed.</param>
    public SiLU(bool inplace = false) : base(nameof(SiLU)) => this.inplace = inplace;

    /// <summary>Whether the input itself is changed.</summary>
    public bool inplace { get; }

    /// <summary>Applies it elementwise.</summary>
    /// <param name="input">Any shape.</param>
    /// <returns>As the input.</returns>
    public override Tensor forward(Tensor input) => nn.functional.silu(input, inplace);
}

/// <summary>x · Φ(x), with Φ the normal distribution function, exact or by its tanh approximation.</summary>
/// <remarks>Hendrycks and Gimpel, Gaussian Error Linear Units, arXiv:1606.08415.</remarks>
public sealed class GELU : nn.Module<Tensor, Tensor>
{
    /// <summary>Creates the activation.</summary>
    /// <param name="approximate">"none" for the exact form, "tanh" for the approximation.</param>
    /// <exception cref="ArgumentException">It is neither.</exception>
    public GELU(string approximate = "none") : base(nameof(GELU))
    {
        if (approximate is not ("none" or "tanh"))
            throw new ArgumentException($"GELU: the approximation '{approximate}' is unknown: give \"none\" or \"tanh\".", nameof(approximate));
        this.approximate = approximate;
    }

    /// <summary>"none" or "tanh".</summary>
    public string approximate { get; }

    /// <summary>Applies it elementwise.</summary>
    /// <param name="input">Any shape.</param>
    /// <returns>As the input.</returns>
    public override Tensor forward(Tensor input) => nn.functional.gelu(input, approximate);
}

/// <summary>Passes its input on.</summary>
public sealed class Identity : nn.Module<Tensor, Tensor>
{
    /// <summary>Creates the module.</summary>
    public Identity() : base(nameof(Identity)) { }

    /// <summary>Passes the input on.</summary>
    /// <param name="input">Any tensor.</param>
    /// <returns>Another object for the same values.</returns>
    public override Tensor forward(Tensor input) => input.alias();
}

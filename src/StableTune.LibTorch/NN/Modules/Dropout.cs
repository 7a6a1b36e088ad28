using static StableTune.LibTorch.torch;

namespace StableTune.LibTorch.Modules;

/// <summary>In training, sets each element to zero with probability p and divides the rest by 1 - p; in evaluation, passes them on.</summary>
public sealed class Dropout : nn.Module<Tensor, Tensor>
{
    /// <summary>Creates the layer.</summary>
    /// <param name="p">Probability of a zero, 0 to 1.</param>
    /// <param name="inplace">Whether the input itself is changed.</param>
    /// <exception cref="ArgumentOutOfRangeException">p is not a probability.</exception>
    public Dropout(double p = 0.5, bool inplace = false) : base(nameof(Dropout))
    {
        if (!(p is >= 0 and <= 1)) throw new ArgumentOutOfRangeException(nameof(p), p, "Dropout: the probability must be 0 to 1.");
        (this.p, this.inplace) = (p, inplace);
    }

    /// <summary>Probability of a zero.</summary>
    public double p { get; }

    /// <summary>Whether the input itself is changed.</summary>
    public bool inplace { get; }

    /// <summary>What the zeros are drawn from; null, the default, for the global generator. Not disposed with the module.</summary>
    public Generator? generator { get; set; }

    /// <summary>Drops elements when <see cref="nn.Module.training"/>.</summary>
    /// <param name="input">Any shape, floating-point.</param>
    /// <returns>As the input; with nothing to drop, another object for the same values.</returns>
    public override Tensor forward(Tensor input) => nn.functional.dropout(input, p, training, inplace, generator);
}

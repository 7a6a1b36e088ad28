using StableTune.Diffusion;

namespace StableTune;

/// <summary>
/// Adds more noise to the latents than the prediction is compared with, so that a model learns to cope with its own errors (sd-scripts:
/// <c>ip_noise_gamma</c>): noise + γ · N(0, 1) is added, noise is the target.
/// </summary>
/// <remarks>Ning et al., Input perturbation reduces exposure bias in diffusion models, arXiv:2301.11706.</remarks>
public sealed record InputPerturbation : NoiseLayer
{
    /// <summary>The strength γ, above 0. Default 0.1, as in the paper.</summary>
    public double Gamma { get; init; } = 0.1;

    /// <summary>Whether each batch draws its strength evenly between 0 and <see cref="Gamma"/>
    /// (<c>ip_noise_gamma_random_strength</c>). Default false.</summary>
    public bool RandomStrength { get; init; }

    private protected override int Place => 3;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (!(Gamma > 0 && double.IsFinite(Gamma)))
            yield return Problem(Gamma, "gamma must be positive", "0.1 is customary; leave the layer out for none");
        foreach (var problem in base.Validate()) yield return problem;
    }

    internal override Tensor MoreAdded(Tensor noise, NoiseDraws draws)
    {
        using var scope = NewDisposeScope();
        var strength = draws.Strength(Gamma, RandomStrength);
        return (noise + draws.Normal(noise.shape, noise) * strength).to(noise.dtype).MoveToOuterDisposeScope();
    }
}

using StableTune.Diffusion;

namespace StableTune;

/// <summary>
/// Adds coarser and coarser noise, each level weaker than the one before, so that a model learns large shapes and brightness (pyramid
/// noise; sd-scripts: <c>multires_noise_iterations</c>). The sum is divided by its standard deviation over the whole batch.
/// </summary>
/// <remarks>
/// Whitaker, Multi-resolution noise for diffusion model training, wandb.ai, 2023. As in sd-scripts each level draws how much coarser it is,
/// 2 to 4 to the power of its number, and the first, of full size, adds a second layer of noise.
/// </remarks>
public sealed record MultiResolutionNoise : NoiseLayer
{
    /// <summary>Levels at most; a level with a side of one latent pixel is the last. Default 6; 6 to 10 is customary.</summary>
    public int Iterations { get; init; } = 6;

    /// <summary>How strong each level is in parts of the one before (<c>multires_noise_discount</c>). Default 0.3; 0.8 in the original
    /// proposal.</summary>
    public double Discount { get; init; } = 0.3;

    private protected override int Place => 2;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Iterations < 1)
            yield return Problem(Iterations, "there is at least one level", "6 to 10 is customary; leave the layer out for none");
        if (!(Discount > 0 && double.IsFinite(Discount)))
            yield return Problem(Discount, "the discount must be positive", "0.1 to 0.3 suits adapters and small data sets");
        foreach (var problem in base.Validate()) yield return problem;
    }

    internal override Tensor Changed(Tensor latents, Tensor noise, NoiseDraws draws)
    {
        using var scope = NewDisposeScope();
        var (images, channels, height, width) = (latents.shape[0], latents.shape[1], latents.shape[2], latents.shape[3]);
        var sum = noise;
        for (var level = 0; level < Iterations; level++)
        {
            var coarser = Math.Pow(2 + (2 * draws.Uniform()), level);
            var (h, w) = (Math.Max(1, (long)(height / coarser)), Math.Max(1, (long)(width / coarser)));
            var coarse = draws.Normal([images, channels, h, w], latents);
            sum = sum + nn.functional.interpolate(coarse, size: [height, width], mode: InterpolationMode.Bilinear, align_corners: false)
                * Math.Pow(Discount, level);
            if (h == 1 || w == 1) break;
        }

        return (sum / sum.std()).MoveToOuterDisposeScope();
    }
}

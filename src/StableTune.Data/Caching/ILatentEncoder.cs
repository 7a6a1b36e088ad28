namespace StableTune.Data;

/// <summary>What a VAE makes of images: a normal distribution over latents.</summary>
/// <param name="Mean">[B, 4, H/8, W/8], unscaled.</param>
/// <param name="LogVariance">Logarithm of the variance, as <paramref name="Mean"/>; clamped to [-30, 20].</param>
public readonly record struct LatentMoments(Tensor Mean, Tensor LogVariance)
{
    /// <summary>Draws latents: mean + standard deviation · noise.</summary>
    /// <param name="random">Where the noise is drawn from; of host memory, so that every device sees the same noise.</param>
    /// <returns>As <see cref="Mean"/>, but float32; in the current dispose scope.</returns>
    public Tensor Sample(Generator random)
    {
        using var scope = NewDisposeScope();
        var noise = randn(Mean.shape, dtype: ScalarType.Float32, generator: random).to(Mean.device);
        return (Mean.to(ScalarType.Float32) + ((LogVariance.to(ScalarType.Float32) * 0.5).exp() * noise)).MoveToOuterDisposeScope();
    }
}

/// <summary>The encoder of a VAE, as far as the data needs it.</summary>
public interface ILatentEncoder
{
    /// <summary>What latents are multiplied by for the UNet: 0.18215 in Stable Diffusion 1.</summary>
    double ScalingFactor { get; }

    /// <summary>What tells its latents from those of other VAEs in files; by default nothing does.</summary>
    VaeIdentity Identity => new(ScalingFactor);

    /// <summary>Encodes images. Called without gradients, and with a dispose scope open: the result may belong to it.</summary>
    /// <param name="pixels">[B, 3, H, W], float32 in [-1, 1], in host memory; not to be disposed.</param>
    /// <returns>The distribution of the latents, on any device, in any floating type.</returns>
    LatentMoments Encode(Tensor pixels);
}

namespace StableTune.Diffusion;

/// <summary>Draws the noise that training adds to latents. Further kinds (<see cref="NoiseLayer"/>) wrap another source.</summary>
public interface INoiseSource : IValidated
{
    /// <summary>Noise for one batch.</summary>
    /// <param name="latents">Scaled latents, [B, C, h, w]; their values matter to adaptive kinds only.</param>
    /// <param name="generator">The only source of randomness.</param>
    /// <returns>A fresh tensor of the latents' shape, dtype and device.</returns>
    Tensor Draw(Tensor latents, Generator generator);

    /// <summary>
    /// The noise that is added to the latents, where it differs from the noise that the prediction is compared with (input perturbation).
    /// By default it is the same.
    /// </summary>
    /// <param name="noise">What <see cref="Draw"/> gave.</param>
    /// <param name="generator">The only source of randomness.</param>
    /// <returns><paramref name="noise"/> itself, or a fresh tensor of the open dispose scope.</returns>
    Tensor Added(Tensor noise, Generator generator) => noise;
}

/// <summary>Draws the timesteps at which a batch is trained.</summary>
public interface ITimestepSource : IValidated
{
    /// <summary>One timestep per sample.</summary>
    /// <param name="count">The number of samples, B.</param>
    /// <param name="generator">The only source of randomness.</param>
    /// <returns>Timesteps in [0, T), [B], int64, on the generator's device.</returns>
    Tensor Draw(int count, Generator generator);

    /// <summary>The timesteps that can be drawn, the end excluded; null, the default, where that is not known. Losses on held-out images
    /// are measured within it.</summary>
    (int Min, int Max)? Range => null;
}

/// <summary>A builder that has a place for noise and timesteps.</summary>
/// <typeparam name="TBuilder">The builder itself.</typeparam>
public interface INoiseSocket<out TBuilder>
{
    /// <summary>Sets the source of noise.</summary>
    TBuilder WithNoise(INoiseSource source);

    /// <summary>Adds a layer to the source of noise, in its place (<see cref="NoiseLayer.Over"/>).</summary>
    TBuilder WithNoiseLayer(NoiseLayer layer);

    /// <summary>Sets the source of timesteps.</summary>
    TBuilder WithTimesteps(ITimestepSource source);
}

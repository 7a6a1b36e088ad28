using StableTune.Diffusion;

namespace StableTune;

/// <summary>Standard normal noise, the default.</summary>
public sealed record NormalNoise : OptionsBase, INoiseSource
{
    /// <inheritdoc/>
    /// <remarks>Drawn in float32 on the generator's device and converted, so that one seed gives one stream whatever the
    /// latents' dtype and device are.</remarks>
    public Tensor Draw(Tensor latents, Generator generator)
    {
        using var scope = NewDisposeScope();
        var noise = randn(latents.shape, dtype: ScalarType.Float32, device: generator.device, generator: generator);
        return noise.to(latents.dtype).to(latents.device).MoveToOuterDisposeScope();
    }
}

namespace StableTune.Models;

/// <summary>The normal distribution of an image's latents, before scaling; one independent variable for each element.</summary>
/// <remarks>The tensors belong to the dispose scope of whoever encoded; disposing this object lets them go earlier.</remarks>
public sealed class LatentDistribution : IDisposable
{
    internal LatentDistribution(Tensor mean, Tensor logVariance) => (Mean, LogVariance) = (mean, logVariance);

    /// <summary>The mean, [B, 4, H/8, W/8]: the latents to use where no randomness is wanted.</summary>
    public Tensor Mean { get; }

    /// <summary>The logarithm of the variance, within -30 ... 20, [B, 4, H/8, W/8].</summary>
    public Tensor LogVariance { get; }

    /// <summary>Draws unscaled latents, [B, 4, H/8, W/8]: mean + standard deviation · noise.</summary>
    /// <param name="generator">Where the noise is drawn from.</param>
    public Tensor Sample(Generator generator)
    {
        using var noise = randn(Mean.shape, dtype: Mean.dtype, device: Mean.device, generator: generator);
        return Sample(noise);
    }

    /// <summary>The unscaled latents that belong to given noise.</summary>
    /// <param name="noise">Standard normal, [B, 4, H/8, W/8], on the mean's device.</param>
    /// <returns>[B, 4, H/8, W/8], in the current dispose scope.</returns>
    public Tensor Sample(Tensor noise)
    {
        using var scope = NewDisposeScope();
        return (Mean + (LogVariance * 0.5).exp() * noise).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Mean.Dispose();
        LogVariance.Dispose();
    }
}

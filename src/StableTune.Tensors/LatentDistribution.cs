namespace StableTune.Tensors;

/// <summary>The normal distribution of an image's latents, before scaling; one independent variable for each element.</summary>
/// <remarks>The tensors belong to the dispose scope of whoever encoded; disposing this object lets them go earlier.</remarks>
public sealed class LatentDistribution : IDisposable
{
    /// <summary>Puts a distribution together.</summary>
    /// <param name="mean">The mean, [B, 4, H/8, W/8], unscaled.</param>
    /// <param name="logVariance">The logarithm of the variance, as <paramref name="mean"/>, within -30 ... 20.</param>
    public LatentDistribution(Tensor mean, Tensor logVariance) => (Mean, LogVariance) = (mean, logVariance);

    /// <summary>The mean, [B, 4, H/8, W/8]: the latents to use where no randomness is wanted.</summary>
    public Tensor Mean { get; }

    /// <summary>The logarithm of the variance, within -30 ... 20, [B, 4, H/8, W/8].</summary>
    public Tensor LogVariance { get; }

    /// <summary>Draws unscaled latents: mean + standard deviation · noise.</summary>
    /// <param name="generator">Where the noise is drawn from; of host memory, so that every device sees the same noise.</param>
    /// <returns>[B, 4, H/8, W/8], float32, on the mean's device, in the current dispose scope.</returns>
    public Tensor Sample(Generator generator)
    {
        using var scope = NewDisposeScope();
        return Sample(randn(Mean.shape, dtype: ScalarType.Float32, generator: generator).to(Mean.device)).MoveToOuterDisposeScope();
    }

    /// <summary>Draws unscaled latents of some samples of a batch that several devices share: those that the whole batch would
    /// get.</summary>
    /// <param name="generator">Where the noise of the whole batch is drawn from.</param>
    /// <param name="share">Which samples these are.</param>
    /// <returns>[B, 4, H/8, W/8], float32, on the mean's device, in the current dispose scope.</returns>
    public Tensor Sample(Generator generator, BatchShare share)
    {
        using var scope = NewDisposeScope();
        var noise = randn([share.Total, .. Mean.shape[1..]], dtype: ScalarType.Float32, generator: generator);
        return Sample(share.Cut(noise).to(Mean.device)).MoveToOuterDisposeScope();
    }

    /// <summary>The unscaled latents that belong to given noise.</summary>
    /// <param name="noise">Standard normal, [B, 4, H/8, W/8], on the mean's device.</param>
    /// <returns>[B, 4, H/8, W/8], float32, in the current dispose scope.</returns>
    public Tensor Sample(Tensor noise)
    {
        using var scope = NewDisposeScope();
        return (Mean.to(ScalarType.Float32) + (LogVariance.to(ScalarType.Float32) * 0.5).exp() * noise).MoveToOuterDisposeScope();
    }

    /// <summary>The Kullback-Leibler divergence from the standard normal distribution: ½ Σ (μ² + σ² - 1 - ln σ²).</summary>
    /// <returns>Of each sample, summed over its latents, [B], float32, in the current dispose scope; gradients flow.</returns>
    public Tensor Divergence()
    {
        using var scope = NewDisposeScope();
        var (mean, logVariance) = (Mean.to(ScalarType.Float32), LogVariance.to(ScalarType.Float32));
        return ((mean.square() + logVariance.exp() - 1 - logVariance).flatten(1).sum([1L]) * 0.5).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Mean.Dispose();
        LogVariance.Dispose();
    }
}

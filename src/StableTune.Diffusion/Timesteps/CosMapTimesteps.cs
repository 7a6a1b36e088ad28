namespace StableTune;

/// <summary>Timesteps 1000 · (1 - 1 / (tan(π u / 2) + 1)) for even u: the middle is twice as likely as the ends.</summary>
/// <remarks>Esser et al., Scaling rectified flow transformers, arXiv:2403.03206, section 3.1, CosMap.</remarks>
public sealed record CosMapTimesteps : TimestepDistribution
{
    /// <inheritdoc/>
    protected override double Cumulative(double x) => x >= 1 ? 1 : Math.Atan(x / (1 - x)) * 2 / Math.PI;
}

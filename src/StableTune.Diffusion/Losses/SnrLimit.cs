namespace StableTune.Diffusion;

/// <summary>The range to which some weightings limit the signal-to-noise ratio before they divide by it.</summary>
internal static class SnrLimit
{
    /// <summary>The greatest ratio: sd-scripts limits the first timesteps so.</summary>
    internal const double Most = 1000;

    /// <summary>
    /// The least ratio. Only the last timestep of a schedule with zero terminal SNR falls below it, where the ratio is 0:
    /// the reference divides by it there, and the infinite weight would end the run.
    /// </summary>
    internal const double Least = 1e-8;

    /// <summary>The ratios within the limits, [B].</summary>
    internal static Tensor Limited(Tensor snr) => snr.clamp(Least, Most);
}

namespace StableTune.Data;

/// <summary>What cached latents depend on of a VAE. Known without its weights, so that a run that finds all latents never loads
/// it.</summary>
/// <param name="ScalingFactor">What latents are multiplied by for the UNet: 0.18215 in Stable Diffusion 1.</param>
public sealed record VaeIdentity(double ScalingFactor)
{
    /// <summary>A hash of the encoder's weights, as hexadecimal digits; empty where it is not known, so that another VAE is not
    /// noticed.</summary>
    public string Hash { get; init; } = "";

    /// <summary>Whether it is SDXL's, whose files end in <c>_sdxl.npz</c>; others in <c>_sd.npz</c>.</summary>
    public bool IsSdxl { get; init; }

    /// <summary>Channels of the latents. Default 4.</summary>
    public int Channels { get; init; } = 4;
}

namespace StableTune.Models;

/// <summary>The parts of a Stable Diffusion model that have weights. The tokenizer comes with the text encoder.</summary>
[Flags]
public enum ModelParts
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>The denoiser.</summary>
    UNet = 1,

    /// <summary>The autoencoder between images and latents.</summary>
    Vae = 2,

    /// <summary>The text encoder and its tokenizer.</summary>
    TextEncoder = 4,

    /// <summary>All of them.</summary>
    All = UNet | Vae | TextEncoder,
}

using StableTune.Tensors;

namespace StableTune.Data;

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
    LatentDistribution Encode(Tensor pixels);
}

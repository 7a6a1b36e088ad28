namespace StableTune.Models;

/// <summary>The network of a diffusion model: predicts from noisy latents. Stable Diffusion has a UNet here; transformers can stand in
/// the same place.</summary>
public interface IDenoisingNetwork
{
    /// <summary>Whether it is told pooled text and sizes (SDXL), see <see cref="UNetConditions.Added"/>.</summary>
    bool TakesAddedConditions { get; }

    /// <summary>Whether it is told a mask and the latents of a masked picture, see <see cref="UNetConditions.Inpainting"/>.</summary>
    bool TakesMask { get; }

    /// <summary>Whether it is told a depth map, see <see cref="UNetConditions.Depth"/>. Default no.</summary>
    bool TakesDepth => false;

    /// <summary>Predicts what the model was trained to predict: noise, velocity or image.</summary>
    /// <param name="noisyLatents">[B, C, h, w].</param>
    /// <param name="timesteps">Diffusion times, [B] or [1].</param>
    /// <param name="conditions">Text, and what else the model takes.</param>
    /// <returns>As <paramref name="noisyLatents"/>, a fresh tensor.</returns>
    Tensor Predict(Tensor noisyLatents, Tensor timesteps, UNetConditions conditions);
}

namespace StableTune.Models;

/// <summary>Something that adds to what a UNet has computed on its way down: a ControlNet with its picture, or residuals that are there
/// already.</summary>
public interface IUNetControl
{
    /// <summary>What is added.</summary>
    /// <param name="latents">The noisy latents that the UNet is given, [B, 4, h, w].</param>
    /// <param name="timesteps">Diffusion times, [B] or [1].</param>
    /// <param name="conditions">What the UNet is told.</param>
    /// <returns>Fresh tensors of the open dispose scope; null to add nothing this time.</returns>
    UNetResiduals? Residuals(Tensor latents, Tensor timesteps, UNetConditions conditions);
}

/// <summary>What is added to a UNet's skip connections, in the order in which the way down makes them, and to its mid block's
/// output.</summary>
/// <param name="Down">One for each skip connection, [B, C, h, w] of its channels and size, or [B, C, 1, 1] for all places alike. SD 1.x and
/// 2.x have 12, SDXL 9.</param>
/// <param name="Mid">For the mid block's output, likewise.</param>
public sealed record UNetResiduals(IReadOnlyList<Tensor> Down, Tensor Mid) : IUNetControl
{
    /// <summary>These residuals.</summary>
    public UNetResiduals? Residuals(Tensor latents, Tensor timesteps, UNetConditions conditions) => this;
}

namespace StableTune.Models;

/// <summary>A ControlNet and what it is shown: goes into <see cref="UNetConditions.Controls"/>.</summary>
/// <param name="Network">The ControlNet; stays the caller's.</param>
/// <param name="Picture">The control picture in 0 ... 1, RGB, [B, 3, H, W] on the model's device; or one for all samples, [1, 3, H, W].
/// Eight times the latents.</param>
/// <param name="Scale">Factor of its residuals. 0 leaves it out.</param>
public sealed record ControlNetCondition(ControlNetModel Network, Tensor Picture, double Scale = 1) : IUNetControl
{
    /// <inheritdoc/>
    public UNetResiduals? Residuals(Tensor latents, Tensor timesteps, UNetConditions conditions)
    {
        ArgumentNullException.ThrowIfNull(latents);
        ArgumentNullException.ThrowIfNull(conditions);
        if (Scale == 0) return null;
        using var scope = NewDisposeScope();
        // A ControlNet of an inpainting model may have been made for its nine channels, or for the latents alone.
        var sample = conditions.Inpainting is { } inpainting && Network.Options.UNet.InChannels != latents.size(1)
            ? inpainting.Join(latents) : latents;
        var (down, mid) = Network.call(
            new ControlNetInputs(sample, timesteps, conditions.Context, conditions.Added), Picture, Scale);
        foreach (var residual in down) residual.MoveToOuterDisposeScope();
        return new UNetResiduals(down, mid.MoveToOuterDisposeScope());
    }
}

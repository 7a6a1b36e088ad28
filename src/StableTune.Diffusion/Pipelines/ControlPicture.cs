using StableTune.Imaging;

namespace StableTune.Diffusion;

/// <summary>Control pictures as ControlNets take them.</summary>
public static class ControlPicture
{
    /// <summary>A picture's bytes divided by 255, as in training.</summary>
    /// <param name="image">RGB; an alpha channel is not looked at.</param>
    /// <param name="device">Where it shall lie.</param>
    /// <returns>[1, 3, H, W] in 0 ... 1, float32, a fresh tensor.</returns>
    public static Tensor Of(PixelImage image, Device device)
    {
        ArgumentNullException.ThrowIfNull(image);
        using var scope = NewDisposeScope();
        var values = tensor(image.Pixels, [1, image.Height, image.Width, image.Channels], dtype: ScalarType.Byte);
        return (values.narrow(3, 0, 3).permute(0, 3, 1, 2).to(ScalarType.Float32) / 255f).contiguous().to(device)
            .MoveToOuterDisposeScope();
    }
}

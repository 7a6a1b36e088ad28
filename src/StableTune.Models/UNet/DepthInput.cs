namespace StableTune.Models;

/// <summary>What a depth model's UNet sees beside the noisy latents: how near each place of the picture is.</summary>
/// <remarks>The UNet's 5 channels are the noisy latents (4) and the map (1), in this order, as in diffusers' Depth2Img
/// pipeline.</remarks>
/// <param name="Map">-1 at the farthest place of a picture, 1 at the nearest, [B, 1, h, w]; one for all samples with B = 1.</param>
public sealed record DepthInput(Tensor Map)
{
    /// <summary>Makes the input from depth maps of any scale: each is resized to the latents (bicubic), then stretched to -1 ... 1 by its
    /// own least and greatest value.</summary>
    /// <param name="depth">Larger is nearer, [B, 1, H, W].</param>
    /// <param name="height">Rows of the latents.</param>
    /// <param name="width">Columns of the latents.</param>
    /// <returns>A tensor in the caller's dispose scope, float32, on the device of the map. A map of one value alone becomes -1
    /// everywhere.</returns>
    /// <exception cref="ArgumentException">It is no map, or the latents have no size.</exception>
    public static DepthInput From(Tensor depth, long height, long width)
    {
        ArgumentNullException.ThrowIfNull(depth);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        if (depth.dim() != 4 || depth.shape[1] != 1)
            throw new ArgumentException(
                $"The depth map is of shape [{string.Join(", ", depth.shape)}]: it must be [B, 1, height, width].", nameof(depth));
        using var scope = NewDisposeScope();
        var small = nn.functional.interpolate(depth.to(ScalarType.Float32), size: [height, width], mode: InterpolationMode.Bicubic,
            align_corners: false);
        var (least, greatest) = (small.amin([1L, 2, 3], keepdim: true), small.amax([1L, 2, 3], keepdim: true));
        var range = greatest - least;
        // Where all is equally far there is nothing to stretch, and 0 / 0 is no number.
        var share = (small - least) / where(range.gt(0), range, ones_like(range));
        return new DepthInput((share * 2 - 1).MoveToOuterDisposeScope());
    }

    /// <summary>The UNet's input.</summary>
    /// <param name="latents">Noisy latents, scaled as the sampler does, [B, 4, h, w].</param>
    /// <returns>[B, 5, h, w], in the type of the latents.</returns>
    public Tensor Join(Tensor latents)
    {
        ArgumentNullException.ThrowIfNull(latents);
        using var scope = NewDisposeScope();
        var map = Map.to(latents.device).to(latents.dtype).expand(latents.shape[0], -1, -1, -1);
        return cat([latents, map], 1).MoveToOuterDisposeScope();
    }
}

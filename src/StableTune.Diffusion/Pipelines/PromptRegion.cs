using StableTune.Imaging;

namespace StableTune;

/// <summary>A prompt for a part of a picture. Where regions overlap they share; where there is none the picture's own prompt
/// holds.</summary>
/// <remarks>Each region costs a further call of the model in each step. Its predictions count by the mask, shrunk to the latents.</remarks>
/// <param name="Prompt">What the region shows.</param>
/// <param name="Mask">White where the region is, black elsewhere; of any size, its red channel counts.</param>
public sealed record PromptRegion(string Prompt, PixelImage Mask)
{
    /// <summary>How much each place takes of the picture's own prompt and of each region: [R + 1, 1, h, w], summing up to 1.</summary>
    internal static Tensor Weights(IReadOnlyList<PromptRegion> regions, long height, long width, Device device)
    {
        using var scope = NewDisposeScope();
        var masks = cat([.. regions.Select(region => Shrunk(region.Mask, height, width))], 0);      // [R, 1, h, w]
        var rest = (1 - masks.sum(0L, keepdim: true)).clamp(0, 1);
        var all = cat([rest, masks], 0);
        return (all / all.sum(0L, keepdim: true)).to(device).MoveToOuterDisposeScope();
    }

    private static Tensor Shrunk(PixelImage mask, long height, long width)
    {
        var pixels = tensor(mask.Pixels, [1, mask.Height, mask.Width, mask.Channels], dtype: ScalarType.Byte);
        var red = pixels.narrow(3, 0, 1).permute(0, 3, 1, 2).to(ScalarType.Float32) / 255f;
        return nn.functional.adaptive_avg_pool2d(red, [height, width]);
    }
}

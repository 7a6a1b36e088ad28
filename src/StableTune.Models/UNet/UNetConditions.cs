namespace StableTune.Models;

/// <summary>All that a UNet is told besides noisy latents and time.</summary>
/// <param name="Context">Text context, [B, L, C].</param>
public sealed record UNetConditions(Tensor Context)
{
    /// <summary>SDXL's pooled text and sizes; null for other models.</summary>
    public AddedConditions? Added { get; init; }

    /// <summary>An inpainting model's mask and picture; null for other models.</summary>
    public InpaintingInput? Inpainting { get; init; }
}

/// <summary>What SDXL's UNet is told besides the text: both null for the other models.</summary>
/// <param name="PooledEmbeds">Pooled text embedding, [B, 1280].</param>
/// <param name="TimeIds">Original height and width, crop top and left, target height and width in pixels, [B, 6]; see <see cref="SizeConditions"/>.</param>
public sealed record AddedConditions(Tensor PooledEmbeds, Tensor TimeIds);

/// <summary>What SDXL is told of a picture's sizes, in pixels.</summary>
/// <remarks>Podell et al., SDXL, arXiv:2307.01952, section 2.2. Height comes before width, top before left.</remarks>
/// <param name="OriginalHeight">Height of the picture before any resizing.</param>
/// <param name="OriginalWidth">Its width.</param>
/// <param name="CropTop">What was cut off at the top.</param>
/// <param name="CropLeft">What was cut off at the left.</param>
/// <param name="TargetHeight">Height that the model trains with, or draws.</param>
/// <param name="TargetWidth">Width, likewise.</param>
public readonly record struct SizeConditions(int OriginalHeight, int OriginalWidth, int CropTop, int CropLeft, int TargetHeight, int TargetWidth)
{
    /// <summary>The sizes of a batch as the UNet takes them.</summary>
    /// <param name="sizes">One a sample.</param>
    /// <param name="device">Where the UNet is.</param>
    /// <returns>[B, 6], float32.</returns>
    public static Tensor TimeIds(IEnumerable<SizeConditions> sizes, Device? device = null)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        float[] numbers = [.. sizes.SelectMany(size => new float[] { size.OriginalHeight, size.OriginalWidth, size.CropTop, size.CropLeft, size.TargetHeight, size.TargetWidth })];
        return tensor(numbers, [numbers.Length / 6, 6], dtype: ScalarType.Float32, device: device);
    }
}

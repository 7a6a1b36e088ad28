using StableTune.Imaging;

namespace StableTune;

/// <summary>A picture that drawing begins with (image-to-image): noise is added to it, and part of the steps is walked.</summary>
/// <remarks>Meng et al., SDEdit, arXiv:2108.01073. The picture's latents are the means of their distribution.</remarks>
/// <param name="Image">The picture, of the size that is drawn.</param>
public sealed record PictureStart(PixelImage Image)
{
    /// <summary>The share of the steps that is walked, above 0 to 1: little changes little, 1 leaves hardly anything. Default
    /// 0.75.</summary>
    public double Strength { get; init; } = 0.75;
}

using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>
/// What a model does to each image before it looks at it, such as resizing. An <see cref="ICaptioner"/>, <see cref="ITagger"/> or
/// <see cref="IFeatureSource"/> that is one too is shown prepared images: the threads that read images ahead of it do this work, and large
/// images are let go early.
/// </summary>
public interface IImagePreparation
{
    /// <summary>Prepares an image. Called by several threads at once; an image that is prepared already comes back as it is.</summary>
    /// <param name="image">The image, RGB, of any size; transparent places are white.</param>
    /// <returns>What the model is shown.</returns>
    /// <exception cref="IOException">This image cannot be dealt with: it is left out and told.</exception>
    PixelImage Prepare(PixelImage image);
}

using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>Says in numbers what is seen in images, as a tagger does before it names tags. <see cref="FeatureMaking"/> drives it over
/// folders.</summary>
public interface IFeatureSource : IImageReader
{
    /// <summary>Finds the features of images. Called by one thread at a time.</summary>
    /// <param name="images">As for <see cref="ICaptioner.Caption"/>.</param>
    /// <param name="cancellationToken">Asks for an early end, by <see cref="OperationCanceledException"/>.</param>
    /// <returns>For each image, in their order, its features, [D]; D is the same for all.</returns>
    /// <exception cref="IOException">As for <see cref="ICaptioner.Caption"/>.</exception>
    IReadOnlyList<float[]> Features(IReadOnlyList<PixelImage> images, CancellationToken cancellationToken);
}

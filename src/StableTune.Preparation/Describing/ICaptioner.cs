using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>What is shown images one after the other: captioners, taggers.</summary>
public interface IImageReader
{
    /// <summary>Makes of an image what is shown, for instance its size that a network takes. Called by several threads at once, ahead of
    /// the model, so that work on single images does not delay it. By default the image itself.</summary>
    /// <param name="image">The image as it was decoded, RGB; transparent places are white.</param>
    /// <returns>An RGB image of any size.</returns>
    /// <exception cref="IOException">The image cannot be dealt with: it is left out and told.</exception>
    PixelImage Prepare(PixelImage image) => image;
}

/// <summary>Describes images in words: a model, a web service, a person. <see cref="ImageCaptioning"/> drives it over folders.</summary>
public interface ICaptioner : IImageReader
{
    /// <summary>Describes images. Called by one thread at a time.</summary>
    /// <param name="images">The images, 1 to <see cref="ImageTextOptions.BatchSize"/>, RGB, of any sizes, as
    /// <see cref="IImageReader.Prepare"/> gives them; transparent places are white.</param>
    /// <param name="cancellationToken">Asks for an early end, by <see cref="OperationCanceledException"/>.</param>
    /// <returns>One text for each image, in their order; line breaks in it, with the blanks around them, become one blank, and an empty
    /// one leaves the image out.</returns>
    /// <exception cref="IOException">
    /// The images cannot be dealt with; where there are several, each is tried alone. Those that fail are left out and told. Any other
    /// exception ends the whole work.
    /// </exception>
    IReadOnlyList<string> Caption(IReadOnlyList<PixelImage> images, CancellationToken cancellationToken);
}

/// <summary>Finds the tags of images. <see cref="ImageTagging"/> drives it over folders, and <see cref="TagSelection"/> chooses among
/// what it finds.</summary>
public interface ITagger : IImageReader
{
    /// <summary>Scores tags. Called by one thread at a time.</summary>
    /// <param name="images">As for <see cref="ICaptioner.Caption"/>.</param>
    /// <param name="cancellationToken">Asks for an early end, by <see cref="OperationCanceledException"/>.</param>
    /// <returns>For each image, in their order, its tags in the order in which they are to be written; unlikely ones may be left
    /// out.</returns>
    /// <exception cref="IOException">As for <see cref="ICaptioner.Caption"/>.</exception>
    IReadOnlyList<IReadOnlyList<ScoredTag>> Tag(IReadOnlyList<PixelImage> images, CancellationToken cancellationToken);
}

/// <summary>Finds the part of images that counts, for instance a person before a background. <see cref="MaskMaking"/> drives it over
/// folders.</summary>
public interface IMaskSource
{
    /// <summary>Makes masks. Called by one thread at a time.</summary>
    /// <param name="images">As for <see cref="ICaptioner.Caption"/>.</param>
    /// <param name="cancellationToken">Asks for an early end, by <see cref="OperationCanceledException"/>.</param>
    /// <returns>
    /// For each image, in their order, a picture of its size whose red channel says how much each place counts, 0 to 255; null where
    /// nothing was found, which
    /// leaves the image out.
    /// </returns>
    /// <exception cref="IOException">As for <see cref="ICaptioner.Caption"/>.</exception>
    IReadOnlyList<PixelImage?> Masks(IReadOnlyList<PixelImage> images, CancellationToken cancellationToken);
}

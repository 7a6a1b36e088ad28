using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>How an image comes to the size at which it is trained: resized, then cut.</summary>
/// <param name="Resized">The size to which the whole image is scaled.</param>
/// <param name="Left">Pixels cut away at the left, with the crop in the middle.</param>
/// <param name="Top">Pixels cut away at the top, with the crop in the middle.</param>
/// <param name="Size">The size that remains: that of the batch.</param>
public readonly record struct Framing(PixelSize Resized, int Left, int Top, PixelSize Size);

/// <summary>Chooses the size at which each image is trained. Images of one size make batches together.</summary>
public interface IBucketing
{
    /// <summary>Whether sizes differ from image to image; what metadata calls <c>enable_bucket</c>.</summary>
    bool HasBuckets { get; }

    /// <summary>What is wrong with its settings.</summary>
    /// <param name="resolution">The training resolution of the data set, which stands for an area where sizes differ.</param>
    IEnumerable<OptionProblem> Validate(PixelSize resolution);

    /// <summary>What the user should know about its settings although they work.</summary>
    /// <param name="resolution">See <see cref="Validate"/>.</param>
    IEnumerable<string> Warnings(PixelSize resolution) => [];

    /// <summary>The framing of an image of this size. A pure function: the same size always gives the same framing.</summary>
    /// <param name="image">The image's size.</param>
    /// <param name="resolution">See <see cref="Validate"/>.</param>
    /// <exception cref="ArgumentException">An image of this size cannot be trained; the message says why.</exception>
    Framing Frame(PixelSize image, PixelSize resolution);
}

using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;
using StableTune.Data;
using StableTune.Imaging;

namespace StableTune;

/// <summary>Images of ImageSharp as pictures of a host, for <see cref="DatasetBuilder.AddImages"/>.</summary>
public static class HostImageExtensions
{
    extension(HostImage)
    {
        /// <summary>An image that the host holds in memory.</summary>
        /// <param name="name">What messages call it.</param>
        /// <param name="image">The image; not copied, and not to be changed or disposed while it is trained. Of an animation the first
        /// frame is taken.</param>
        /// <exception cref="ArgumentException">The name is blank.</exception>
        public static IImageSource FromImageSharp(string name, Image<Rgb24> image)
        {
            ArgumentException.ThrowIfNullOrWhiteSpace(name);
            ArgumentNullException.ThrowIfNull(image);
            return new ImageSharpSource(name, new(image.Width, image.Height), image.ToPixelImage);
        }

        /// <summary>An image with alpha that the host holds in memory.</summary>
        /// <param name="name">What messages call it.</param>
        /// <param name="image">The image; not copied, and not to be changed or disposed while it is trained. Of an animation the first
        /// frame is taken.</param>
        /// <exception cref="ArgumentException">The name is blank.</exception>
        public static IImageSource FromImageSharp(string name, Image<Rgba32> image)
        {
            ArgumentException.ThrowIfNullOrWhiteSpace(name);
            ArgumentNullException.ThrowIfNull(image);
            return new ImageSharpSource(name, new(image.Width, image.Height), image.ToPixelImage);
        }
    }

    /// <summary>Copies the pixels each time they are wanted, so that they are held once.</summary>
    private sealed class ImageSharpSource(string name, PixelSize size, Func<PixelImage> copy) : IImageSource
    {
        public string Name => name;

        public PixelSize ReadSize(ImageLoadOptions options) => size;

        public PixelImage Load(ImageLoadOptions options) => HostImage.FromPixels(name, copy()).Load(options);
    }
}

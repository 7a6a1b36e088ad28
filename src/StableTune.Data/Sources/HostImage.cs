using StableTune.Data;
using StableTune.Imaging;

namespace StableTune;

/// <summary>
/// Pictures of a host for <see cref="DatasetBuilder.AddImages"/>: pixels, the bytes of a file, or whatever opens a stream.
/// </summary>
public static class HostImage
{
    /// <summary>Pixels.</summary>
    /// <param name="name">What messages call it.</param>
    /// <param name="image">The picture; not copied, and not to be changed while it is trained.</param>
    /// <exception cref="ArgumentException">The name is blank.</exception>
    public static IImageSource FromPixels(string name, PixelImage image)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(image);
        return new Pixels(name, image);
    }

    /// <summary>The bytes of a file of a kind that the data set's codec reads: PNG, JPEG, WebP or BMP by default.</summary>
    /// <param name="name">What messages call it.</param>
    /// <param name="file">The whole file; not copied.</param>
    /// <exception cref="ArgumentException">The name is blank.</exception>
    public static IImageSource FromBytes(string name, ReadOnlyMemory<byte> file)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        return new Encoded(name, () => file);
    }

    /// <summary>A file of one of these kinds that is read anew each time.</summary>
    /// <param name="name">What messages call it.</param>
    /// <param name="open">Opens a stream that begins with the file and ends with it; called by several threads, each disposes what it
    /// got.</param>
    /// <exception cref="ArgumentException">The name is blank.</exception>
    public static IImageSource FromStream(string name, Func<Stream> open)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(open);
        return new Encoded(name, () =>
        {
            using var stream = open() ?? throw new InvalidFileException(name, "the host gave no stream.", "Return an open stream.");
            using var bytes = new MemoryStream();
            stream.CopyTo(bytes);
            return bytes.ToArray();
        });
    }

    private sealed class Pixels(string name, PixelImage image) : IImageSource
    {
        public string Name => name;

        public PixelSize ReadSize(ImageLoadOptions options) => image.Size;

        public PixelImage Load(ImageLoadOptions options)
        {
            if (!options.KeepAlpha) return options.Background is { } color ? image.Over(color) : image.WithoutAlpha();
            if (options.Background is not { } behind || image.Channels == 3) return WithAlpha();
            var (colors, result) = (image.Over(behind), new PixelImage(image.Width, image.Height, channels: 4, [.. image.Pixels]));
            for (int from = 0, to = 0; from < colors.Pixels.Length; from += 3, to += 4)
                colors.Pixels.AsSpan(from, 3).CopyTo(result.Pixels.AsSpan(to));
            return result;
        }

        private PixelImage WithAlpha()
        {
            if (image.Channels == 4) return image;
            var opaque = new PixelImage(image.Width, image.Height, channels: 4);
            for (int from = 0, to = 0; from < image.Pixels.Length; from += 3, to += 4)
            {
                image.Pixels.AsSpan(from, 3).CopyTo(opaque.Pixels.AsSpan(to));
                opaque.Pixels[to + 3] = 255;
            }

            return opaque;
        }
    }

    private sealed class Encoded(string name, Func<ReadOnlyMemory<byte>> read) : IImageSource
    {
        public string Name => name;

        public PixelSize ReadSize(ImageLoadOptions options) => ImageFile.ReadSize(read(), options, name);

        public PixelImage Load(ImageLoadOptions options) => ImageFile.Decode(read(), options, name);
    }
}

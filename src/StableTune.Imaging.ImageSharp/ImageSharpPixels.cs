using System.Runtime.InteropServices;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace StableTune.Imaging;

/// <summary>
/// Pixels from ImageSharp's images and into them. Only what its versions 2 and 3 have in common is used, so that a host may bring
/// version 3.
/// </summary>
public static class ImageSharpPixels
{
    /// <summary>
    /// The picture as an image of ImageSharp: <c>Image&lt;Rgb24&gt;</c>, or <c>Image&lt;Rgba32&gt;</c> where it has alpha.
    /// </summary>
    /// <param name="picture">The picture; its pixels are copied.</param>
    /// <returns>A new image, which the caller disposes.</returns>
    public static Image ToImageSharp(this PixelImage picture)
    {
        ArgumentNullException.ThrowIfNull(picture);
        if (picture.Channels == 4) return Filled(new Image<Rgba32>(picture.Width, picture.Height), picture);
        return Filled(new Image<Rgb24>(picture.Width, picture.Height), picture);
    }

    /// <summary>The pixels of an image; of an animation those of its first frame.</summary>
    /// <param name="image">The image; stays as it is, and is not disposed.</param>
    /// <returns>A new RGB picture.</returns>
    public static PixelImage ToPixelImage(this Image<Rgb24> image)
    {
        ArgumentNullException.ThrowIfNull(image);
        return Copied(image, channels: 3);
    }

    /// <summary>The pixels of an image; of an animation those of its first frame.</summary>
    /// <param name="image">The image; stays as it is, and is not disposed.</param>
    /// <returns>A new RGBA picture.</returns>
    public static PixelImage ToPixelImage(this Image<Rgba32> image)
    {
        ArgumentNullException.ThrowIfNull(image);
        return Copied(image, channels: 4);
    }

    private static Image<T> Filled<T>(Image<T> image, PixelImage picture) where T : unmanaged, IPixel<T>
    {
        image.ProcessPixelRows(rows =>
        {
            for (var y = 0; y < rows.Height; y++) picture.Row(y).CopyTo(MemoryMarshal.AsBytes(rows.GetRowSpan(y)));
        });
        return image;
    }

    private static PixelImage Copied<T>(Image<T> image, int channels) where T : unmanaged, IPixel<T>
    {
        var picture = new PixelImage(image.Width, image.Height, channels);
        image.ProcessPixelRows(rows =>
        {
            for (var y = 0; y < rows.Height; y++) MemoryMarshal.AsBytes(rows.GetRowSpan(y)).CopyTo(picture.Row(y));
        });
        return picture;
    }
}

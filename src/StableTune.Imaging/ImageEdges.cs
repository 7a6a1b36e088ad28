namespace StableTune.Imaging;

/// <summary>Finds edges.</summary>
public static class ImageEdges
{
    /// <summary>OpenCV's Canny of the grey picture, to the bit, with the 3 x 3 Sobel operator and the sum of absolute gradients.</summary>
    /// <remarks>J. Canny, A Computational Approach to Edge Detection, 1986. Grey is 0.299 R + 0.587 G + 0.114 B.</remarks>
    /// <param name="image">The picture; alpha is ignored.</param>
    /// <param name="low">Gradients above this continue an edge; 0 and up. A step from black to white has a gradient of about 1020.</param>
    /// <param name="high">Gradients above this begin one. Where it is below <paramref name="low"/> the two change places.</param>
    /// <returns>An RGB picture of the same size with three equal channels: 255 on edges, 0 elsewhere.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A threshold is negative or no number.</exception>
    public static PixelImage Canny(PixelImage image, double low, double high)
    {
        ArgumentNullException.ThrowIfNull(image);
        if (!(low >= 0 && double.IsFinite(low)))
            throw new ArgumentOutOfRangeException(nameof(low), low, "a threshold is a number from 0 up");
        if (!(high >= 0 && double.IsFinite(high)))
            throw new ArgumentOutOfRangeException(nameof(high), high, "a threshold is a number from 0 up");
        return new CannyDetector(image.Width, image.Height, Whole(Math.Min(low, high)), Whole(Math.Max(low, high))).Run(image);
    }

    // No gradient exceeds 2040, so a larger threshold is as good as any.
    private static int Whole(double threshold) => (int)Math.Min(Math.Floor(threshold), short.MaxValue);
}

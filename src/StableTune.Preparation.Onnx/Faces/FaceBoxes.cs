using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>What detectors of faces have in common.</summary>
internal static class FaceBoxes
{
    /// <summary>Sides of pictures are multiples of this, as the coarsest grid of the networks wants it.</summary>
    internal const int Coarsest = 32;

    /// <summary>The image as a network takes it, never enlarged, with black to the right and below.</summary>
    /// <param name="image">The image.</param>
    /// <param name="input">The network's input.</param>
    /// <param name="longest">The longest side, where the network takes any.</param>
    /// <returns>The picture, and what its image's sides were multiplied by.</returns>
    internal static (PixelImage Picture, double Scale) Shown(PixelImage image, PictureInput input, int longest)
    {
        var scale = Math.Min(1, Math.Min((input.Width ?? longest) / (double)image.Width, (input.Height ?? longest) / (double)image.Height));
        if (scale < 1)
            image = ImageResize.Resize(image, Math.Max(1, (int)(image.Width * scale)), Math.Max(1, (int)(image.Height * scale)));
        var (width, height) = (input.Width ?? Whole(image.Width), input.Height ?? Whole(image.Height));
        if (image.Width == width && image.Height == height) return (image, scale);
        var padded = new PixelImage(width, height);
        for (var y = 0; y < image.Height; y++) image.Row(y).CopyTo(padded.Row(y));
        return (padded, scale);

        static int Whole(int length) => (length + Coarsest - 1) / Coarsest * Coarsest;
    }

    /// <summary>The surest faces, of which no two overlap by more than a share.</summary>
    internal static IReadOnlyList<DetectedFace> Surest(List<(float Score, DetectedFace Face)> found, double share)
    {
        var kept = new List<DetectedFace>();
        foreach (var (_, face) in found.OrderByDescending(one => one.Score))
            if (!kept.Exists(other => Overlap(face, other) > share)) kept.Add(face);
        return kept;
    }

    /// <summary>What two faces share, of all that they cover together.</summary>
    private static double Overlap(DetectedFace a, DetectedFace b)
    {
        var width = Math.Min(a.Left + a.Width, b.Left + b.Width) - Math.Max(a.Left, b.Left);
        var height = Math.Min(a.Top + a.Height, b.Top + b.Height) - Math.Max(a.Top, b.Top);
        if (width <= 0 || height <= 0) return 0;
        return width * height / ((a.Width * a.Height) + (b.Width * b.Height) - (width * height));
    }
}

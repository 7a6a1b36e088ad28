using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>A face in an image. Places are in pixels from the upper left corner; they may reach beyond the image.</summary>
/// <param name="Left">The left edge.</param>
/// <param name="Top">The upper edge.</param>
/// <param name="Width">How wide it is.</param>
/// <param name="Height">How high it is.</param>
public sealed record DetectedFace(double Left, double Top, double Width, double Height)
{
    /// <summary>The middle of the eye that is on the left where the face is upright; null where the detector does not know.</summary>
    public (double X, double Y)? LeftEye { get; init; }

    /// <summary>The middle of the eye that is on the right where the face is upright; null where the detector does not know.</summary>
    public (double X, double Y)? RightEye { get; init; }

    /// <summary>How far to turn the image counter-clockwise, in degrees, until the face is upright; 0 where the eyes are not
    /// known.</summary>
    public double Tilt => LeftEye is { } left && RightEye is { } right ? Math.Atan2(right.Y - left.Y, right.X - left.X) * 180 / Math.PI : 0;

    /// <summary>The pixels of an image that the face covers, to the nearest, right and bottom excluded; empty where it lies
    /// beside it.</summary>
    /// <exception cref="IOException">A number of the face is none.</exception>
    internal (int Left, int Top, int Right, int Bottom) Within(PixelSize image)
    {
        if (!double.IsFinite(Left + Top + Width + Height)) throw new IOException("the detector gave a face that cannot be");
        var (left, top) = (Inside(Left, image.Width), Inside(Top, image.Height));
        return (left, top, Math.Max(left, Inside(Left + Width, image.Width)), Math.Max(top, Inside(Top + Height, image.Height)));

        static int Inside(double place, int length) => (int)Math.Clamp(Math.Round(place), 0, length);
    }
}

/// <summary>Finds faces, in drawings or in photographs. Some are in the package
/// StableTune.Preparation.Onnx.</summary>
public interface IFaceDetector
{
    /// <summary>The faces of an image. Called by one thread at a time.</summary>
    /// <param name="image">The image, RGB; transparent places are white.</param>
    /// <param name="cancellationToken">Asks for an early end, by <see cref="OperationCanceledException"/>.</param>
    /// <returns>The faces that the detector is sure of, in any order; empty where there are none.</returns>
    /// <exception cref="IOException">This image cannot be dealt with: it is left out and told. Any other exception ends the whole
    /// work.</exception>
    IReadOnlyList<DetectedFace> Find(PixelImage image, CancellationToken cancellationToken);
}

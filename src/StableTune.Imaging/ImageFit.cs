namespace StableTune.Imaging;

/// <summary>How a picture comes to a wanted size: it is resized as a whole, then a part is cut out.</summary>
/// <param name="Resized">The size of the whole.</param>
/// <param name="Left">First column of the part.</param>
/// <param name="Top">First row of the part.</param>
/// <param name="Size">The size of the part.</param>
/// <param name="Interpolation">How it is resized; null chooses as <see cref="ImageResize.Resize"/> does.</param>
public readonly record struct ImageFit(PixelSize Resized, int Left, int Top, PixelSize Size, Interpolation? Interpolation = null)
{
    internal PixelArea Part => new(Left, Top, Size.Width, Size.Height);

    internal void ThrowIfImpossible()
    {
        if (Resized.Width < 1 || Resized.Height < 1)
            throw new ArgumentException($"a picture cannot be resized to {Resized}: both sides must be at least 1");
        if (Left < 0 || Top < 0 || Size.Width < 1 || Size.Height < 1 || Size.Width > Resized.Width - Left
            || Size.Height > Resized.Height - Top)
            throw new ArgumentException($"a piece of {Size} at ({Left}, {Top}) does not lie within {Resized}");
    }
}

using System.Globalization;

namespace StableTune.Imaging;

/// <summary>The size of a picture in pixels.</summary>
/// <param name="Width">Columns.</param>
/// <param name="Height">Rows.</param>
public readonly record struct PixelSize(int Width, int Height)
{
    /// <summary>Width times height.</summary>
    public long Area => (long)Width * Height;

    /// <summary>Width over height.</summary>
    public double AspectRatio => (double)Width / Height;

    /// <summary>The size with both sides exchanged.</summary>
    public PixelSize Transposed => new(Height, Width);

    /// <summary>The size with both sides divided and rounded up: what a JPEG has that is decoded at a fraction of its own.</summary>
    /// <param name="denominator">1 and up.</param>
    public PixelSize Reduced(int denominator) => new((Width + denominator - 1) / denominator, (Height + denominator - 1) / denominator);

    /// <summary>As "640x480".</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Width}x{Height}");
}

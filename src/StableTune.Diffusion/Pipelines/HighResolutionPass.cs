using StableTune.Imaging;

namespace StableTune;

/// <summary>
/// Draws a picture small first, where the model keeps to one subject, enlarges its latents, and goes on from there at the full size
/// ("highres fix").
/// </summary>
public sealed record HighResolutionPass
{
    /// <summary>The size of the first pass as a share of the picture's, above 0 and below 1; sides are rounded to what the model draws.
    /// Default 0.5.</summary>
    public double FirstScale { get; init; } = 0.5;

    /// <summary>The share of the steps that is walked again at the full size, above 0 to 1. Default 0.7.</summary>
    public double Strength { get; init; } = 0.7;

    /// <summary>The size of the first pass.</summary>
    /// <param name="size">The size of the picture.</param>
    /// <param name="multiple">Sides are multiples of it.</param>
    internal PixelSize FirstSize(PixelSize size, int multiple) => new(Side(size.Width, multiple), Side(size.Height, multiple));

    private int Side(int pixels, int multiple) => Math.Max(multiple, (int)Math.Round(pixels * FirstScale / multiple) * multiple);
}

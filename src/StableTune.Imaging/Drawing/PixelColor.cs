namespace StableTune.Imaging;

/// <summary>A colour to draw with.</summary>
/// <param name="R">Red, 0 to 255.</param>
/// <param name="G">Green, 0 to 255.</param>
/// <param name="B">Blue, 0 to 255.</param>
public readonly record struct PixelColor(byte R, byte G, byte B)
{
    /// <summary>White.</summary>
    public static PixelColor White => new(255, 255, 255);

    /// <summary>Black.</summary>
    public static PixelColor Black => new(0, 0, 0);

    /// <summary>A colour from 0xRRGGBB.</summary>
    /// <param name="rgb">The three values, red highest.</param>
    public static PixelColor FromRgb(int rgb) => new((byte)(rgb >> 16), (byte)(rgb >> 8), (byte)rgb);
}

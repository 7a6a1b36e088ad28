namespace StableTune.Imaging;

/// <summary>Pixels in anybody's memory: rows without gaps.</summary>
internal readonly ref struct PixelView(ReadOnlySpan<byte> pixels, int width, int height, int channels)
{
    /// <summary>At least as many as the picture has.</summary>
    internal ReadOnlySpan<byte> Pixels { get; } = pixels;

    internal int Width { get; } = width;

    internal int Height { get; } = height;

    /// <summary>3 or 4.</summary>
    internal int Channels { get; } = channels;

    internal PixelSize Size => new(Width, Height);

    internal int Stride => Width * Channels;

    internal static PixelView Of(PixelImage image) => new(image.Pixels, image.Width, image.Height, image.Channels);

    internal ReadOnlySpan<byte> Row(int y) => Pixels.Slice(y * Stride, Stride);
}

/// <summary>A rectangle of whole pixels.</summary>
internal readonly record struct PixelArea(int Left, int Top, int Width, int Height);

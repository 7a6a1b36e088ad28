namespace StableTune.Imaging;

/// <summary>A picture in memory: 8 bits per channel, RGB or RGBA, rows from top to bottom without gaps.</summary>
public sealed partial class PixelImage
{
    /// <summary>Wraps an array of pixels; the array is not copied.</summary>
    /// <param name="width">Columns, at least 1.</param>
    /// <param name="height">Rows, at least 1.</param>
    /// <param name="channels">3 (RGB) or 4 (RGBA, not premultiplied).</param>
    /// <param name="pixels">The values, [height, width, channels].</param>
    /// <exception cref="ArgumentException">The sizes are out of range or do not fit the array.</exception>
    public PixelImage(int width, int height, int channels, byte[] pixels)
    {
        ArgumentNullException.ThrowIfNull(pixels);
        if (pixels.Length != ByteCount(width, height, channels))
            throw new ArgumentException(
                $"the array holds {pixels.Length} bytes, a picture of {width}x{height} with {channels} channels needs "
                    + $"{ByteCount(width, height, channels)}", nameof(pixels));
        (Width, Height, Channels, Pixels) = (width, height, channels, pixels);
    }

    /// <summary>A new picture, black (and transparent where it has alpha).</summary>
    /// <param name="width">Columns, at least 1.</param>
    /// <param name="height">Rows, at least 1.</param>
    /// <param name="channels">3 (RGB) or 4 (RGBA).</param>
    /// <exception cref="ArgumentException">A size is out of range.</exception>
    public PixelImage(int width, int height, int channels = 3) : this(width, height, channels, new byte[ByteCount(width, height, channels)])
    {
    }

    /// <summary>Columns.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>3 for RGB, 4 for RGBA.</summary>
    public int Channels { get; }

    /// <summary>The values, [Height, Width, Channels], 0 to 255.</summary>
    public byte[] Pixels { get; }

    /// <summary>Width and height together.</summary>
    public PixelSize Size => new(Width, Height);

    /// <summary>Bytes in a row.</summary>
    public int Stride => Width * Channels;

    /// <summary>The bytes of row <paramref name="y"/>, [Width, Channels].</summary>
    public Span<byte> Row(int y) => Pixels.AsSpan(y * Stride, Stride);

    /// <summary>A picture whose array was not cleared: the caller writes every byte of it.</summary>
    internal static PixelImage Uninitialized(int width, int height, int channels)
        => new(width, height, channels, GC.AllocateUninitializedArray<byte>(ByteCount(width, height, channels)));

    private static int ByteCount(int width, int height, int channels)
    {
        if (channels is not (3 or 4)) throw new ArgumentException($"a picture has 3 or 4 channels, not {channels}", nameof(channels));
        if (width < 1 || height < 1)
            throw new ArgumentException($"a picture of {width}x{height} has no pixels: both sides must be at least 1", nameof(width));
        var count = (long)width * height * channels;
        return count <= Array.MaxLength ? (int)count
            : throw new ArgumentException($"a picture of {width}x{height} with {channels} channels does not fit into one array",
                nameof(width));
    }
}

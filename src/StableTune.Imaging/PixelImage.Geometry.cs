using System.Runtime.InteropServices;

namespace StableTune.Imaging;

public sealed partial class PixelImage
{
    // Where the result's first pixel lies in the source (0: first column or row, 1: last), and what one step to the right
    // and one step down in the result mean there. Index: EXIF orientation - 1.
    private static readonly (int Right, int Bottom, int AcrossX, int AcrossY, int DownX, int DownY)[] s_orientations =
    [
        (0, 0, 1, 0, 0, 1), (1, 0, -1, 0, 0, 1), (1, 1, -1, 0, 0, -1), (0, 1, 1, 0, 0, -1),
        (0, 0, 0, 1, 1, 0), (0, 1, 0, -1, 1, 0), (1, 1, 0, -1, -1, 0), (1, 0, 0, 1, -1, 0),
    ];

    /// <summary>Cuts out a rectangle.</summary>
    /// <param name="x">First column.</param>
    /// <param name="y">First row.</param>
    /// <param name="width">Columns of the result.</param>
    /// <param name="height">Rows of the result.</param>
    /// <returns>A new picture of width x height.</returns>
    /// <exception cref="ArgumentException">The rectangle is empty or reaches beyond the picture.</exception>
    public PixelImage Crop(int x, int y, int width, int height)
    {
        if (x < 0 || y < 0 || width < 1 || height < 1 || width > Width - x || height > Height - y)
            throw new ArgumentException($"the rectangle {width}x{height} at ({x}, {y}) does not lie within the picture of {Size}",
                nameof(x));
        var result = Uninitialized(width, height, Channels);
        for (var row = 0; row < height; row++)
            Row(y + row).Slice(x * Channels, width * Channels).CopyTo(result.Row(row));
        return result;
    }

    /// <summary>Cuts out the middle: the offset is half the surplus, rounded down.</summary>
    /// <param name="width">Columns of the result, at most <see cref="Width"/>.</param>
    /// <param name="height">Rows of the result, at most <see cref="Height"/>.</param>
    /// <returns>A new picture of width x height.</returns>
    /// <exception cref="ArgumentException">The result would be empty or larger than the picture.</exception>
    public PixelImage CenterCrop(int width, int height)
    {
        if (width > Width || height > Height)
            throw new ArgumentException($"a piece of {width}x{height} cannot be cut from a picture of {Size}", nameof(width));
        return Crop((Width - width) / 2, (Height - height) / 2, width, height);
    }

    /// <summary>Mirrors left and right.</summary>
    /// <returns>A new picture of the same size.</returns>
    public PixelImage FlipHorizontal() => Oriented(2);

    /// <summary>Turns and mirrors a stored picture so that it stands upright.</summary>
    /// <param name="orientation">EXIF's orientation, 1 to 8; 1 leaves it as it is, 5 to 8 exchange width and height.</param>
    /// <returns>A new picture.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The orientation is not 1 to 8.</exception>
    public PixelImage Oriented(int orientation)
    {
        if (orientation is < 1 or > 8)
            throw new ArgumentOutOfRangeException(nameof(orientation), orientation, "EXIF knows the orientations 1 to 8");
        var result = orientation > 4 ? Uninitialized(Height, Width, Channels) : Uninitialized(Width, Height, Channels);
        Orient(PixelView.Of(this), orientation, result.Pixels);
        return result;
    }

    /// <summary>As <see cref="Oriented"/>, into memory that is at least as long as the picture's.</summary>
    internal static PixelView Orient(PixelView view, int orientation, Span<byte> memory)
    {
        var (width, height) = (view.Width, view.Height);
        var turn = s_orientations[orientation - 1];
        var start = (turn.Bottom * (height - 1) * width) + (turn.Right * (width - 1));
        var (across, down) = ((turn.AcrossY * width) + turn.AcrossX, (turn.DownY * width) + turn.DownX);
        var result = new PixelView(memory, orientation > 4 ? height : width, orientation > 4 ? width : height, view.Channels);
        for (var y = 0; y < result.Height; y++)
        {
            var row = memory.Slice(y * result.Stride, result.Stride);
            if (view.Channels == 4)
                CopyRow(MemoryMarshal.Cast<byte, uint>(view.Pixels), start + (y * down), across, MemoryMarshal.Cast<byte, uint>(row));
            else CopyRow(MemoryMarshal.Cast<byte, Rgb>(view.Pixels), start + (y * down), across, MemoryMarshal.Cast<byte, Rgb>(row));
        }

        return result;
    }

    /// <summary>The picture without its alpha channel: colours under transparent pixels stay as stored.</summary>
    /// <returns>This picture when it has no alpha, otherwise a new one.</returns>
    public PixelImage WithoutAlpha()
    {
        if (Channels == 3) return this;
        var result = Uninitialized(Width, Height, 3);
        var from = MemoryMarshal.Cast<byte, Rgba>(Pixels.AsSpan());
        var to = MemoryMarshal.Cast<byte, Rgb>(result.Pixels.AsSpan());
        for (var i = 0; i < to.Length; i++) to[i] = from[i].Color;
        return result;
    }

    /// <summary>The picture laid over a colour that shows through where it is transparent, rounded as Pillow's paste does.</summary>
    /// <param name="background">The colour.</param>
    /// <returns>This picture when it has no alpha, otherwise a new one, RGB.</returns>
    public PixelImage Over(PixelColor background)
    {
        if (Channels == 3) return this;
        var result = Uninitialized(Width, Height, 3);
        Span<byte> from = Pixels, to = result.Pixels;
        for (int i = 0, at = 0; i < to.Length; i += 3, at += 4)
        {
            var alpha = from[at + 3];
            to[i] = Blend(from[at], background.R, alpha);
            to[i + 1] = Blend(from[at + 1], background.G, alpha);
            to[i + 2] = Blend(from[at + 2], background.B, alpha);
        }

        return result;
    }

    /// <summary>As <see cref="Over"/>, but the alpha stays beside the new colours.</summary>
    internal PixelImage OnBackground(PixelColor background)
    {
        if (Channels == 3) return this;
        var result = Uninitialized(Width, Height, 4);
        Span<byte> from = Pixels, to = result.Pixels;
        for (var at = 0; at < to.Length; at += 4)
        {
            var alpha = from[at + 3];
            to[at] = Blend(from[at], background.R, alpha);
            to[at + 1] = Blend(from[at + 1], background.G, alpha);
            to[at + 2] = Blend(from[at + 2], background.B, alpha);
            to[at + 3] = alpha;
        }

        return result;
    }

    /// <summary>What shows of a colour in front of another: the division by 255, rounded to the nearest.</summary>
    private static byte Blend(byte front, byte back, byte alpha)
    {
        var sum = (front * alpha) + (back * (255 - alpha)) + 128;
        return (byte)(((sum >> 8) + sum) >> 8);
    }

    private static void CopyRow<T>(ReadOnlySpan<T> source, int first, int step, Span<T> row)
    {
        for (var x = 0; x < row.Length; x++, first += step) row[x] = source[first];
    }

    private readonly record struct Rgb(byte R, byte G, byte B);

    private readonly record struct Rgba(Rgb Color, byte Alpha);
}

namespace StableTune.Imaging;

/// <summary>A way of resizing pictures. Which library's way it is matters: they differ in antialiasing, rounding and the treatment of
/// alpha.</summary>
public abstract class Interpolation
{
    private protected Interpolation(string name) => Name = name;

    /// <summary>OpenCV INTER_AREA: the mean of the covered area; the default where no side grows.</summary>
    public static Interpolation Area { get; } = new AreaInterpolation();

    /// <summary>OpenCV INTER_LINEAR: not antialiased.</summary>
    public static Interpolation Bilinear { get; } = new FixedPointInterpolation("bilinear", FixedPointResampler.Linear);

    /// <summary>OpenCV INTER_CUBIC (a = -0.75): not antialiased.</summary>
    public static Interpolation Bicubic { get; } = new FixedPointInterpolation("bicubic", FixedPointResampler.Cubic);

    /// <summary>OpenCV INTER_NEAREST_EXACT as in 4.10 (releases differ): the pixel whose area holds the centre.</summary>
    public static Interpolation Nearest { get; } = new NearestInterpolation();

    /// <summary>Pillow's LANCZOS (a = 3, antialiased): the default where a side grows.</summary>
    public static Interpolation Lanczos { get; } = new PillowInterpolation("lanczos", ResampleKernel.Lanczos);

    /// <summary>Pillow's BICUBIC (a = -0.5, antialiased): what sd-trainer prepares its buckets with.</summary>
    public static Interpolation PillowBicubic { get; } = new PillowInterpolation("pillow-bicubic", ResampleKernel.Bicubic);

    /// <summary>Pillow's BOX.</summary>
    public static Interpolation Box { get; } = new PillowInterpolation("box", ResampleKernel.Box);

    // "lanczos4" is a name that the reference accepts and then does not find among Pillow's filters: Pillow's default serves.
    private static readonly Dictionary<string, Interpolation> s_names = new(StringComparer.Ordinal)
    {
        ["area"] = Area, ["lanczos"] = Lanczos, ["lanczos4"] = PillowBicubic, ["bicubic"] = Bicubic, ["cubic"] = Bicubic,
        ["bilinear"] = Bilinear, ["linear"] = Bilinear, ["nearest"] = Nearest, ["box"] = Box, ["pillow-bicubic"] = PillowBicubic,
    };

    /// <summary>The name by which <see cref="Parse"/> finds it.</summary>
    public string Name { get; }

    /// <summary>The names that <see cref="Parse"/> knows: sd-scripts' and "pillow-bicubic".</summary>
    public static IReadOnlyCollection<string> Names => s_names.Keys;

    /// <summary>The default for a change of size: area where no side grows, Lanczos where one does.</summary>
    /// <param name="from">The picture's size.</param>
    /// <param name="to">The wanted size.</param>
    public static Interpolation For(PixelSize from, PixelSize to) => to.Width <= from.Width && to.Height <= from.Height ? Area : Lanczos;

    /// <summary>Finds one by its name; "lanczos4" is Pillow's bicubic, as in sd-scripts.</summary>
    /// <param name="name">The name, in lower case.</param>
    /// <exception cref="ArgumentException">The name is unknown; the message lists the known ones.</exception>
    public static Interpolation Parse(string name) => s_names.TryGetValue(name, out var found) ? found
        : throw new ArgumentException($"the interpolation \"{name}\" is unknown; known are {string.Join(", ", Names)}", nameof(name));

    /// <summary>The name.</summary>
    public override string ToString() => Name;

    internal abstract PixelImage Resize(PixelImage image, int width, int height);

    internal virtual PixelImage ResizePart(PixelImage image, ImageFit fit)
    {
        var resized = Resize(image, fit.Resized.Width, fit.Resized.Height);
        return fit.Size == fit.Resized ? resized : resized.Crop(fit.Left, fit.Top, fit.Size.Width, fit.Size.Height);
    }

    private sealed class FixedPointInterpolation(string name, Func<PixelImage, int, int, PixelImage> resize) : Interpolation(name)
    {
        internal override PixelImage Resize(PixelImage image, int width, int height) => resize(image, width, height);
    }

    private sealed class AreaInterpolation() : Interpolation("area")
    {
        internal override PixelImage Resize(PixelImage image, int width, int height) =>
            ResizePart(image, new(new(width, height), 0, 0, new(width, height)));

        internal override PixelImage ResizePart(PixelImage image, ImageFit fit)
        {
            if (For(image.Size, fit.Resized) == Area)
                return AreaResampler.Resize(PixelView.Of(image), fit.Resized, fit.Part, image.Channels);
            var resized = FixedPointResampler.GrowingArea(image, fit.Resized.Width, fit.Resized.Height);
            return fit.Size == fit.Resized ? resized : resized.Crop(fit.Left, fit.Top, fit.Size.Width, fit.Size.Height);
        }
    }

    private sealed class NearestInterpolation() : Interpolation("nearest")
    {
        internal override PixelImage Resize(PixelImage image, int width, int height)
        {
            var (columns, rows) = (Places(image.Width, width), Places(image.Height, height));
            var result = PixelImage.Uninitialized(width, height, image.Channels);
            for (var y = 0; y < height; y++)
            {
                ReadOnlySpan<byte> from = image.Row(rows[y]);
                var to = result.Row(y);
                for (var x = 0; x < width; x++)
                    from.Slice(columns[x] * image.Channels, image.Channels).CopyTo(to[(x * image.Channels)..]);
            }

            return result;
        }

        // In fixed point with 16 bits, as OpenCV 4.10 has it: ties depend on it.
        private static int[] Places(int from, int to)
        {
            var step = (((long)from << 16) + (to / 2)) / to;
            var first = (step / 2) - (from % 2);
            return [.. Enumerable.Range(0, to).Select(i => (int)Math.Clamp(((step * i) + first) >> 16, 0, from - 1))];
        }
    }

    private sealed class PillowInterpolation(string name, ResampleKernel kernel) : Interpolation(name)
    {
        internal override PixelImage Resize(PixelImage image, int width, int height) => Resampler.Resize(image, width, height, kernel);
    }
}

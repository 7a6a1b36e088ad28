namespace StableTune.Imaging;

/// <summary>
/// Draws on an RGB picture: rectangles, ellipses, lines, pictures, text. Lines and curves are antialiased. Coordinates are in pixels, with
/// (0, 0) the upper left corner of the upper left pixel; what lies outside is cut off.
/// </summary>
public sealed class Canvas
{
    /// <summary>Starts with a picture of one colour.</summary>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="background">Its colour.</param>
    public Canvas(int width, int height, PixelColor background) : this(new PixelImage(width, height)) =>
        Fill(0, 0, width, height, background);

    /// <summary>Draws on a picture, which is changed.</summary>
    /// <param name="image">An RGB picture.</param>
    /// <exception cref="ArgumentException">The picture has alpha.</exception>
    public Canvas(PixelImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        if (image.Channels != 3)
            throw new ArgumentException("a canvas draws on RGB pictures; remove the alpha channel first (WithoutAlpha)", nameof(image));
        Image = image;
    }

    /// <summary>The picture that is drawn on.</summary>
    public PixelImage Image { get; }

    /// <summary>The width of a line of text in pixels, at a scale of whole pixels per dot of the 5x7 font.</summary>
    public static int TextWidth(string text, int scale) => BitmapFont.Measure(text) * scale;

    /// <summary>Fills a rectangle.</summary>
    public void Fill(int x, int y, int width, int height, PixelColor color)
    {
        var (left, right) = (Math.Max(x, 0), Math.Min(x + width, Image.Width));
        for (var row = Math.Max(y, 0); row < Math.Min(y + height, Image.Height); row++)
            for (var column = left; column < right; column++) Set(column, row, color);
    }

    /// <summary>Copies an RGB picture, with its upper left corner at (x, y).</summary>
    /// <exception cref="ArgumentException">The picture has alpha.</exception>
    public void DrawImage(PixelImage image, int x, int y)
    {
        ArgumentNullException.ThrowIfNull(image);
        if (image.Channels != 3)
            throw new ArgumentException("only RGB pictures are drawn; remove the alpha channel first (WithoutAlpha)", nameof(image));
        var (left, right) = (Math.Max(x, 0), Math.Min(x + image.Width, Image.Width));
        if (left >= right) return;
        for (var row = Math.Max(y, 0); row < Math.Min(y + image.Height, Image.Height); row++)
            image.Row(row - y).Slice(3 * (left - x), 3 * (right - left)).CopyTo(Image.Row(row)[(3 * left)..]);
    }

    /// <summary>Writes one line of text in the built-in 5x7 font; (x, y) is the upper left corner of its capitals.</summary>
    /// <param name="x">Left edge.</param>
    /// <param name="y">Upper edge.</param>
    /// <param name="text">Printable ASCII; other characters appear as boxes.</param>
    /// <param name="scale">Pixels per dot, at least 1.</param>
    /// <param name="color">Its colour.</param>
    /// <param name="bold">Whether strokes are one pixel wider.</param>
    public void DrawText(int x, int y, string text, int scale, PixelColor color, bool bold = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        foreach (var character in text)
        {
            var rows = BitmapFont.Glyph(character);
            for (var row = 0; row < rows.Length; row++)
                for (var column = 0; column < 5; column++)
                    if ((rows[row] & (16 >> column)) != 0)
                        Fill(x + (column * scale), y + (row * scale), scale + (bold ? 1 : 0), scale, color);
            x += BitmapFont.CellWidth * scale;
        }
    }

    /// <summary>Fills an ellipse.</summary>
    /// <param name="centerX">Centre.</param>
    /// <param name="centerY">Centre.</param>
    /// <param name="radiusX">Half of its width before it is turned.</param>
    /// <param name="radiusY">Half of its height before it is turned.</param>
    /// <param name="color">Its colour.</param>
    /// <param name="degrees">By how much it is turned, clockwise.</param>
    public void FillEllipse(double centerX, double centerY, double radiusX, double radiusY, PixelColor color, double degrees = 0)
    {
        var (sine, cosine) = Math.SinCos(degrees * Math.PI / 180);
        var reach = Math.Max(radiusX, radiusY) + 1;
        ForPixels(centerX - reach, centerY - reach, centerX + reach, centerY + reach, (x, y) =>
        {
            var (dx, dy) = (x - centerX, y - centerY);
            var (u, v) = (((dx * cosine) + (dy * sine)) / radiusX, ((dy * cosine) - (dx * sine)) / radiusY);
            // The distance to the edge, to first order: (f - 1) over the gradient's length.
            var f = Math.Sqrt((u * u) + (v * v));
            var gradient = f == 0 ? 0 : Math.Sqrt((u * u / (radiusX * radiusX)) + (v * v / (radiusY * radiusY))) / f;
            return gradient == 0 ? 1 : 0.5 - ((f - 1) / gradient);
        }, color);
    }

    /// <summary>Draws a line through points, with round ends and corners.</summary>
    /// <param name="points">At least one; one alone gives a dot.</param>
    /// <param name="width">The line's width in pixels.</param>
    /// <param name="color">Its colour.</param>
    /// <param name="opacity">0 to 1.</param>
    public void DrawLine(IReadOnlyList<(double X, double Y)> points, double width, PixelColor color, double opacity = 1)
    {
        ArgumentNullException.ThrowIfNull(points);
        // Coverage is gathered first, so that places where segments meet are not painted twice.
        var coverage = new float[Image.Width * Image.Height];
        for (var i = 0; i < points.Count; i++) Cover(coverage, points[Math.Max(i - 1, 0)], points[i], width / 2);
        for (var i = 0; i < coverage.Length; i++)
            if (coverage[i] > 0) Blend(i % Image.Width, i / Image.Width, color, coverage[i] * opacity);
    }

    /// <summary>Mixes a colour into one pixel.</summary>
    /// <param name="x">Column; must lie within the picture.</param>
    /// <param name="y">Row; must lie within the picture.</param>
    /// <param name="color">The colour.</param>
    /// <param name="share">Its share, 0 to 1; values outside are clamped.</param>
    public void Blend(int x, int y, PixelColor color, double share)
    {
        if (share >= 1) Set(x, y, color);
        if (share is <= 0 or >= 1) return;
        var at = (y * Image.Stride) + (3 * x);
        Image.Pixels[at] = Mix(Image.Pixels[at], color.R, share);
        Image.Pixels[at + 1] = Mix(Image.Pixels[at + 1], color.G, share);
        Image.Pixels[at + 2] = Mix(Image.Pixels[at + 2], color.B, share);
    }

    private void Cover(float[] coverage, (double X, double Y) from, (double X, double Y) to, double half)
    {
        var (dx, dy) = (to.X - from.X, to.Y - from.Y);
        var squared = (dx * dx) + (dy * dy);
        var (left, right) = (Math.Max((int)Math.Floor(Math.Min(from.X, to.X) - half - 1), 0),
            Math.Min((int)Math.Ceiling(Math.Max(from.X, to.X) + half + 1), Image.Width));
        var (top, bottom) = (Math.Max((int)Math.Floor(Math.Min(from.Y, to.Y) - half - 1), 0),
            Math.Min((int)Math.Ceiling(Math.Max(from.Y, to.Y) + half + 1), Image.Height));
        for (var y = top; y < bottom; y++)
            for (var x = left; x < right; x++)
            {
                var (px, py) = (x + 0.5 - from.X, y + 0.5 - from.Y);
                var along = squared == 0 ? 0 : Math.Clamp(((px * dx) + (py * dy)) / squared, 0, 1);
                var (ex, ey) = (px - (along * dx), py - (along * dy));
                var share = (float)Math.Clamp(0.5 + half - Math.Sqrt((ex * ex) + (ey * ey)), 0, 1);
                ref var place = ref coverage[(y * Image.Width) + x];
                place = Math.Max(place, share);
            }
    }

    private void ForPixels(double left, double top, double right, double bottom, Func<double, double, double> share, PixelColor color)
    {
        for (var y = Math.Max((int)Math.Floor(top), 0); y < Math.Min(Math.Ceiling(bottom), Image.Height); y++)
            for (var x = Math.Max((int)Math.Floor(left), 0); x < Math.Min(Math.Ceiling(right), Image.Width); x++)
                Blend(x, y, color, share(x + 0.5, y + 0.5));
    }

    private void Set(int x, int y, PixelColor color)
    {
        var at = (y * Image.Stride) + (3 * x);
        (Image.Pixels[at], Image.Pixels[at + 1], Image.Pixels[at + 2]) = (color.R, color.G, color.B);
    }

    private static byte Mix(byte below, byte above, double share) => (byte)(below + ((above - below) * share) + 0.5);
}

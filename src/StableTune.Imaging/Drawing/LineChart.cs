using System.Globalization;

namespace StableTune.Imaging;

/// <summary>How a line chart looks.</summary>
public sealed record LineChartOptions : OptionsBase
{
    /// <summary>What stands at the top.</summary>
    public string Title { get; init; } = "";

    /// <summary>What the horizontal axis shows. Default "step".</summary>
    public string XLabel { get; init; } = "step";

    /// <summary>What the vertical axis shows. Default "loss".</summary>
    public string YLabel { get; init; } = "loss";

    /// <summary>Columns of the picture, in pixels. Default 960.</summary>
    public int Width { get; init; } = 960;

    /// <summary>Rows of the picture, in pixels. Default 540.</summary>
    public int Height { get; init; } = 540;

    /// <summary>
    /// How much of the past the smoothed line keeps, 0 to below 1, as in TensorBoard: an exponential mean, corrected for its start.
    /// Default 0.9; null draws the values alone.
    /// </summary>
    public double? Smoothing { get; init; } = 0.9;

    /// <summary>Pixels per dot of the 5x7 font. Default 2.</summary>
    public int TextScale { get; init; } = 2;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (TextScale is < 1 or > 16) yield return Problem(TextScale, "the scale is 1 to 16", "2 reads well");
        if (Width < 160 * TextScale || Width > 16384) yield return Problem(Width, $"the width is {160 * TextScale} to 16384 pixels at this text scale", "960 suits most");
        if (Height < 100 * TextScale || Height > 16384) yield return Problem(Height, $"the height is {100 * TextScale} to 16384 pixels at this text scale", "540 suits most");
        if (Smoothing is < 0 or >= 1 or double.NaN) yield return Problem(Smoothing, "the share of the past is at least 0 and below 1", "0.9 suits most; null for none");
    }
}

/// <summary>A curve of values over steps, such as the loss, with its smoothed form.</summary>
public static class LineChart
{
    private static readonly PixelColor s_paper = PixelColor.White, s_ink = PixelColor.FromRgb(0x22252A), s_soft = PixelColor.FromRgb(0x5B6068);
    private static readonly PixelColor s_grid = PixelColor.FromRgb(0xE6E8EB), s_axis = PixelColor.FromRgb(0x9AA0A8);
    private static readonly PixelColor s_raw = PixelColor.FromRgb(0x9CC5F0), s_line = PixelColor.FromRgb(0x1F6FC2);

    /// <summary>Draws a chart.</summary>
    /// <param name="points">Values in the order of their steps; those that are not finite leave a gap. May be empty.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <returns>An RGB picture of the options' size.</returns>
    /// <exception cref="InvalidOptionsException">An option is out of range.</exception>
    public static PixelImage Draw(IReadOnlyList<(double X, double Y)> points, LineChartOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(points);
        options ??= new();
        InvalidOptionsException.ThrowIfAny(options.Validate());
        var canvas = new Canvas(options.Width, options.Height, s_paper);
        (double X, double Y)[] finite = [.. points.Where(point => double.IsFinite(point.X) && double.IsFinite(point.Y))];
        var plot = DrawFrame(canvas, finite, options);
        if (finite.Length == 0)
        {
            const string nothing = "no values";
            canvas.DrawText((int)(plot.Left + plot.Right - Canvas.TextWidth(nothing, options.TextScale)) / 2, (int)(plot.Top + plot.Bottom) / 2, nothing, options.TextScale, s_soft);
            return canvas.Image;
        }

        foreach (var run in Runs(points)) canvas.DrawLine(Thinned(run, plot), options.Smoothing is null ? 2 : 1.2, options.Smoothing is null ? s_line : s_raw);
        if (options.Smoothing is { } smoothing) canvas.DrawLine(Thinned(Smoothed(finite, smoothing), plot), 2.4, s_line);
        return canvas.Image;
    }

    private static Plot DrawFrame(Canvas canvas, (double X, double Y)[] points, LineChartOptions options)
    {
        var (scale, line) = (options.TextScale, BitmapFont.CellHeight * options.TextScale);
        var (lowX, highX) = points.Length == 0 ? (0, 1) : (points.Min(p => p.X), points.Max(p => p.X));
        var (lowY, highY) = points.Length == 0 ? (0, 1) : (points.Min(p => p.Y), points.Max(p => p.Y));
        var top = (2 * line) + (options.Title.Length == 0 ? 0 : BitmapFont.CellHeight * (scale + 1));
        var bottom = options.Height - (7 * line / 2);
        var y = new ChartAxis(lowY, highY, bottom, top, Math.Max(2, (bottom - top) / (4 * line)), toTicks: true);
        var left = (3 * line) + y.Ticks.Max(tick => Canvas.TextWidth(y.Format(tick), scale));
        var right = options.Width - (2 * line);
        var x = new ChartAxis(lowX, highX, left, right, Math.Max(2, (right - left) / (6 * line)), toTicks: false);
        foreach (var tick in y.Ticks)
        {
            var (row, text) = ((int)Math.Round(y.At(tick)), y.Format(tick));
            canvas.Fill(left, row, right - left, 1, s_grid);
            canvas.DrawText(left - (line / 2) - Canvas.TextWidth(text, scale), row - (BitmapFont.CapitalHeight * scale / 2), text, scale, s_soft);
        }

        foreach (var tick in x.Ticks)
        {
            var (column, text) = ((int)Math.Round(x.At(tick)), x.Format(tick));
            canvas.Fill(column, bottom, 1, 3 * scale, s_axis);
            canvas.DrawText(Math.Min(column - (Canvas.TextWidth(text, scale) / 2), options.Width - Canvas.TextWidth(text, scale) - scale), bottom + (line / 2), text, scale, s_soft);
        }

        canvas.Fill(left, top, 1, bottom - top + 1, s_axis);
        canvas.Fill(left, bottom, right - left, 1, s_axis);
        DrawWords(canvas, options, new(x, y, left, top, right, bottom));
        return new(x, y, left, top, right, bottom);
    }

    private static void DrawWords(Canvas canvas, LineChartOptions options, Plot plot)
    {
        var (scale, line) = (options.TextScale, BitmapFont.CellHeight * options.TextScale);
        canvas.DrawText(plot.Left, line, options.Title, scale + 1, s_ink);
        canvas.DrawText((plot.Left + plot.Right - Canvas.TextWidth(options.XLabel, scale)) / 2, options.Height - (3 * line / 2), options.XLabel, scale, s_ink);
        canvas.DrawTextUpwards(line, (plot.Top + plot.Bottom + Canvas.TextWidth(options.YLabel, scale)) / 2, options.YLabel, scale, s_ink);
        if (options.Smoothing is not { } smoothing) return;
        string[] names = ["each value", string.Create(CultureInfo.InvariantCulture, $"smoothed {smoothing:0.###}")];
        var x = plot.Right;
        for (var i = 1; i >= 0; i--)
        {
            x -= Canvas.TextWidth(names[i], scale);
            canvas.DrawText(x, plot.Top - line, names[i], scale, s_soft);
            x -= 2 * line;
            var middle = plot.Top - line + (BitmapFont.CapitalHeight * scale / 2.0);
            canvas.DrawLine([(x, middle), (x + (1.5 * line), middle)], i == 1 ? 2.4 : 1.2, i == 1 ? s_line : s_raw);
            x -= line;
        }
    }

    // Stretches without a value that is not finite.
    private static IEnumerable<IReadOnlyList<(double X, double Y)>> Runs(IReadOnlyList<(double X, double Y)> points)
    {
        var run = new List<(double X, double Y)>();
        foreach (var point in points)
        {
            if (double.IsFinite(point.X) && double.IsFinite(point.Y)) run.Add(point);
            else if (run.Count > 0)
            {
                yield return run;
                run = [];
            }
        }

        if (run.Count > 0) yield return run;
    }

    private static List<(double X, double Y)> Smoothed((double X, double Y)[] points, double keep)
    {
        var (sum, weight, result) = (0.0, 0.0, new List<(double X, double Y)>(points.Length));
        foreach (var (x, y) in points)
        {
            sum = (keep * sum) + ((1 - keep) * y);
            weight = (keep * weight) + (1 - keep);   // what a series of ones would have: corrects the start from 0
            result.Add((x, sum / weight));
        }

        return result;
    }

    // To pixels; of many values in one column, the first, the extremes and the last are enough.
    private static List<(double X, double Y)> Thinned(IReadOnlyList<(double X, double Y)> values, Plot plot)
    {
        var result = new List<(double X, double Y)>();
        foreach (var column in values.Select(value => (X: plot.X.At(value.X), Y: plot.Y.At(value.Y))).GroupBy(pixel => Math.Floor(pixel.X)))
        {
            (double X, double Y)[] pixels = [.. column];
            if (pixels.Length <= 4) result.AddRange(pixels);
            else result.AddRange([pixels[0], pixels.MinBy(pixel => pixel.Y), pixels.MaxBy(pixel => pixel.Y), pixels[^1]]);
        }

        return result;
    }

    private sealed record Plot(ChartAxis X, ChartAxis Y, int Left, int Top, int Right, int Bottom);
}

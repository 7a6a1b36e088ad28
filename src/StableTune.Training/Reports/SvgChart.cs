using System.Globalization;
using System.Text;

namespace StableTune.Training;

/// <summary>A line of a chart.</summary>
/// <param name="Series">Its values.</param>
/// <param name="Style">The class of its style: "raw", "smooth", "dots", "s0" ...</param>
internal sealed record ChartLine(StepSeries Series, string Style);

/// <summary>
/// Draws charts as SVG for a page: colours are the page's, so they follow light and dark. Each chart is drawn twice, for wide and for
/// narrow screens, because text in a picture shrinks with it.
/// </summary>
internal static class SvgChart
{
    private const int Left = 58, Right = 26, Top = 10, Bottom = 42;

    private static readonly (string Style, int Width, int Height)[] s_sizes = [("wide", 900, 300), ("narrow", 380, 250)];

    /// <summary>Lines over steps.</summary>
    /// <param name="lines">The lines, the lowest first.</param>
    /// <param name="name">What is shown, for those who cannot see it.</param>
    /// <param name="top">The highest value that is shown; null for the highest there is.</param>
    public static string Lines(IReadOnlyList<ChartLine> lines, string name, double? top = null)
    {
        var finite = lines.SelectMany(line => line.Series.Values).Where(double.IsFinite).DefaultIfEmpty(0).ToList();
        var steps = lines.SelectMany(line => line.Series.Steps).DefaultIfEmpty(0).ToList();
        var frame = new Frame(Math.Min(steps.Min(), 1), Math.Max(steps.Max(), 2), Math.Min(0, finite.Min()), top ?? finite.Max());
        return Draw(frame, name, "step", (svg, place) =>
        {
            foreach (var line in lines)
                foreach (var (at, values) in line.Series.Runs()) Line(svg, place, line.Style, at, values);
        });
    }

    /// <summary>Bars of mean losses by timestep.</summary>
    public static string Bars(IReadOnlyList<TimestepBin> bins, string name)
    {
        var frame = new Frame(bins[0].From, bins[^1].To, 0,
            bins.Select(bin => bin.MeanLoss).Where(double.IsFinite).DefaultIfEmpty(1).Max());
        return Draw(frame, name, "timestep (little noise to much)", (svg, place) =>
        {
            foreach (var bin in bins.Where(bin => double.IsFinite(bin.MeanLoss)))
            {
                var (x, y, end) = (place.X(bin.From), place.Y(bin.MeanLoss), place.X(bin.To));
                svg.Append(CultureInfo.InvariantCulture, $"""<rect class="bar" x="{x + 1:0.#}" y="{y:0.#}" """)
                    .Append(CultureInfo.InvariantCulture,
                        $"""width="{Math.Max(1, end - x - 2):0.#}" height="{place.Y(0) - y:0.#}">""")
                    .Append(CultureInfo.InvariantCulture,
                        $"<title>{bin.From} to {bin.To - 1}: {Number(bin.MeanLoss)}, {bin.Count} samples</title></rect>");
            }
        });
    }

    /// <summary>A number as axes and tables show it.</summary>
    public static string Number(double value) => !double.IsFinite(value) ? "not a number" : PlotStyle.Number(Rounded(value));

    private static double Rounded(double value) =>
        double.Parse(value.ToString("G4", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);

    private static string Draw(Frame frame, string name, string axis, Action<StringBuilder, Place> content)
    {
        var svg = new StringBuilder();
        foreach (var (style, width, height) in s_sizes)
        {
            var place = new Place(frame with { Top = frame.Top > frame.Bottom ? frame.Top : frame.Bottom + 1 }, width, height);
            var clip = $"clip-{style}-{name.Replace(' ', '-')}";
            svg.Append(CultureInfo.InvariantCulture,
                $"""<svg class="chart {style}" viewBox="0 0 {width} {height}" role="img" aria-label="{name}">""")
                .Append(CultureInfo.InvariantCulture, $"""<defs><clipPath id="{clip}">""")
                .Append(CultureInfo.InvariantCulture,
                    $"""<rect x="{Left - 6}" y="0" width="{width - Left - Right + 12}" height="{height - Bottom + 6}"/>""")
                .Append("</clipPath></defs>");
            Axes(svg, place, axis);
            svg.Append(CultureInfo.InvariantCulture, $"""<g clip-path="url(#{clip})">""");
            content(svg, place);
            svg.Append("</g></svg>\n");
        }

        return svg.ToString();
    }

    private static void Axes(StringBuilder svg, Place place, string axis)
    {
        foreach (var value in Ticks(place.Frame.Bottom, place.Frame.Top, 5))
            svg.Append(CultureInfo.InvariantCulture,
                $"""<path class="grid" d="M{Left} {place.Y(value):0.#}H{place.Width - Right}"/>""")
                .Append(CultureInfo.InvariantCulture,
                    $"""<text x="{Left - 8}" y="{place.Y(value) + 4:0.#}" text-anchor="end">{Number(value)}</text>""");
        foreach (var value in Ticks(place.Frame.First, place.Frame.Last, place.Width > 500 ? 8 : 4).Where(v => v == Math.Floor(v)))
            svg.Append(CultureInfo.InvariantCulture,
                $"""<text x="{place.X(value):0.#}" y="{place.Height - Bottom + 16}" text-anchor="middle">{Number(value)}</text>""");
        svg.Append(CultureInfo.InvariantCulture, $"""<path class="axis" d="M{Left} {place.Height - Bottom}H{place.Width - Right}"/>""")
            .Append(CultureInfo.InvariantCulture,
                $"""<text class="name" x="{place.Width - Right}" y="{place.Height - 7}" text-anchor="end">{axis}</text>""");
    }

    private static void Line(StringBuilder svg, Place place, string style, double[] steps, double[] values)
    {
        if (style == "dots" || steps.Length == 1)
        {
            for (var i = 0; i < steps.Length; i++)
                svg.Append(CultureInfo.InvariantCulture,
                    $"""<circle class="{style} dot" cx="{place.X(steps[i]):0.#}" cy="{place.Y(values[i]):0.#}" r="3.5">""")
                    .Append(CultureInfo.InvariantCulture, $"<title>step {steps[i]:0}: {Number(values[i])}</title></circle>");
            return;
        }

        svg.Append("<polyline class=\"").Append(style).Append("\" points=\"");
        foreach (var i in Thinned(values, place.Width - Left - Right))
            svg.Append(CultureInfo.InvariantCulture, $"{place.X(steps[i]):0.#},{place.Y(values[i]):0.#} ");
        svg.Append("\"/>");
    }

    /// <summary>The places of values that can be told apart: of each stretch the least and the greatest.</summary>
    internal static IEnumerable<int> Thinned(double[] values, int most)
    {
        var stretch = Math.Max(1, (2 * values.Length + most - 1) / most);
        if (stretch <= 2) return Enumerable.Range(0, values.Length);
        return Enumerable.Range(0, (values.Length + stretch - 1) / stretch).SelectMany(part =>
        {
            var (least, greatest) = (part * stretch, part * stretch);
            for (var i = part * stretch; i < Math.Min(values.Length, (part + 1) * stretch); i++)
            {
                if (values[i] < values[least]) least = i;
                if (values[i] > values[greatest]) greatest = i;
            }

            return least == greatest ? [least] : least < greatest ? [least, greatest] : new[] { greatest, least };
        });
    }

    /// <summary>Round numbers from one end to the other.</summary>
    private static IEnumerable<double> Ticks(double from, double to, int about)
    {
        var rough = (to - from) / about;
        var power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        var step = new[] { 1.0, 2, 5, 10 }.Select(factor => factor * power).First(size => size >= rough * 0.999);
        // Adding 0 makes 0 of -0.
        for (var at = Math.Ceiling(from / step - 1e-9) + 0.0; at * step <= to + (step * 1e-9); at++) yield return at * step;
    }

    /// <summary>What is shown: from the first to the last step, from the bottom to the top.</summary>
    private sealed record Frame(double First, double Last, double Bottom, double Top);

    /// <summary>Where values lie in the picture.</summary>
    private sealed record Place(Frame Frame, int Width, int Height)
    {
        public double X(double step) =>
            Left + ((step - Frame.First) / (Frame.Last - Frame.First) * (Width - Left - Right));

        public double Y(double value) =>
            Height - Bottom - ((value - Frame.Bottom) / (Frame.Top - Frame.Bottom) * (Height - Top - Bottom));
    }
}

using System.Globalization;
using ScottPlot;
using ScottPlot.TickGenerators;

namespace StableTune.Training;

/// <summary>How charts of runs look: plain axes with titles, a light grid, a legend in the corner.</summary>
internal static class PlotStyle
{
    private static readonly Color s_ink = Color.FromHex("#22252A"), s_soft = Color.FromHex("#5B6068"), s_grid = Color.FromHex("#E6E8EB");

    // The same for all charts, so that those below each other have their steps below each other.
    private static readonly PixelPadding s_margins = new(left: 90, right: 30, bottom: 55, top: 45);

    /// <summary>An empty plot.</summary>
    /// <param name="title">What stands above it.</param>
    /// <param name="unit">What its vertical axis counts.</param>
    /// <param name="over">What its horizontal axis counts, in whole numbers.</param>
    public static Plot Over(string title, string unit, string over = "optimizer step")
    {
        var plot = new Plot();
        plot.Title(title, size: 18);
        plot.Axes.Title.Label.Bold = false;
        plot.XLabel(over, size: 14);
        plot.YLabel(unit, size: 14);
        foreach (var axis in (IAxis[])[plot.Axes.Bottom, plot.Axes.Left])
        {
            axis.Label.Bold = false;
            axis.TickLabelStyle.FontSize = 13;
            axis.TickLabelStyle.ForeColor = s_soft;
        }

        plot.Axes.Bottom.TickGenerator = new NumericAutomatic { IntegerTicksOnly = true, LabelFormatter = Number };
        plot.Axes.Left.TickGenerator = new NumericAutomatic { LabelFormatter = Number };
        plot.Axes.Color(s_ink);
        plot.Grid.MajorLineColor = s_grid;
        plot.Layout.Fixed(s_margins);
        plot.Legend.Alignment = Alignment.UpperRight;
        plot.Legend.FontSize = 13;
        plot.Legend.OutlineColor = s_grid;
        plot.Legend.ShadowColor = Colors.Transparent;
        return plot;
    }

    /// <summary>Draws a line.</summary>
    /// <param name="plot">Where.</param>
    /// <param name="series">What.</param>
    /// <param name="color">Its colour.</param>
    /// <param name="width">Its width in pixels.</param>
    /// <param name="name">What the legend calls it; empty to leave it out.</param>
    public static void Line(this Plot plot, StepSeries series, Color color, float width, string name)
    {
        foreach (var (steps, values) in series.Runs())
        {
            if (steps.Length == 1) plot.Add.Marker(steps[0], values[0], size: 4 * width, color: color).LegendText = name;
            else
            {
                var line = plot.Add.SignalXY(steps, values, color);
                (line.LineWidth, line.LegendText) = (width, name);
            }

            name = "";
        }
    }

    /// <summary>Chooses the axes' ranges and the font, when all lines are drawn.</summary>
    public static Plot Finish(this Plot plot)
    {
        if (plot.PlottableList.Count == 0)
        {
            plot.Axes.SetLimits(0, 1, 0, 1);
            var text = plot.Add.Text("no values", 0.5, 0.5);
            (text.LabelAlignment, text.LabelFontColor, text.LabelFontSize) = (Alignment.MiddleCenter, s_soft, 14);
        }
        else
        {
            plot.Axes.AutoScale();
            plot.ShowLegend();
        }

        PlotFont.Use(plot);
        return plot;
    }

    /// <summary>1500, 0.05, 2.5e-5: few digits, and none that say nothing.</summary>
    public static string Number(double value)
    {
        var size = Math.Abs(value);
        return value.ToString(size is 0 or (>= 1e-3 and < 1e6) ? "0.######" : "0.###e0", CultureInfo.InvariantCulture);
    }
}

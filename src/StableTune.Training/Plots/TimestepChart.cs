using ScottPlot;

namespace StableTune.Training;

/// <summary>Draws mean losses by timestep as bars.</summary>
internal static class TimestepChart
{
    private const int Width = 960, Height = 540;

    private static readonly Color s_fill = Color.FromHex("#1F6FC2");

    /// <summary>The chart as a PNG file; one that says so where there are no values.</summary>
    public static byte[] ToPng(TimestepHistogram? histogram)
    {
        using var plot = PlotStyle.Over("Loss by timestep", "mean loss", "timestep (little noise to much)");
        foreach (var bin in histogram?.Bins ?? [])
        {
            if (!double.IsFinite(bin.MeanLoss)) continue;
            plot.Add.Bar(new Bar
            {
                Position = (bin.From + bin.To) / 2.0, Value = bin.MeanLoss, Size = (bin.To - bin.From) * 0.9, FillColor = s_fill,
                LineWidth = 0,
            });
        }

        plot.Finish();
        if (histogram is { Bins: [.., var last] }) plot.Axes.SetLimitsX(0, last.To);
        plot.HideLegend();
        return plot.GetImageBytes(Width, Height, ImageFormat.Png);
    }
}

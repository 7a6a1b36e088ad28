using ScottPlot;
using ScottPlot.TickGenerators;
using StableTune.Adapters;

namespace StableTune.Training;

/// <summary>A picture of how strongly an adapter changes each layer: a row for each block, a column for each kind of layer, coloured by the
/// Frobenius norm of the change.</summary>
public static class AdapterHeatMap
{
    private const int ColumnWidth = 46, RowHeight = 24, MostWidth = 8000;

    // Room for the title, the names below and at the left, the scale at the right.
    private static readonly PixelPadding s_margins = new(left: 90, right: 120, bottom: 150, top: 45);

    /// <summary>Draws the norms of a LoRA.</summary>
    /// <param name="norms">What was measured.</param>
    /// <param name="title">What stands above it; null for the file's name.</param>
    /// <returns>A PNG file.</returns>
    /// <exception cref="ArgumentException">No layer has a norm: the file holds no LoRA.</exception>
    public static byte[] ToPng(AdapterNorms norms, string? title = null)
    {
        ArgumentNullException.ThrowIfNull(norms);
        var layers = norms.Layers.Where(layer => layer.DeltaNorm is not null).ToList();
        if (layers.Count == 0)
            throw new ArgumentException($"{norms.Path}: no layer has a norm that could be drawn: give a LoRA file.", nameof(norms));
        string[] rows = [.. norms.Blocks.Select(block => block.Block)];
        string[] columns = [.. layers.Select(layer => layer.Kind).Distinct().Order(StringComparer.Ordinal)];
        using var plot = new Plot();
        plot.Title(title ?? Path.GetFileName(norms.Path), size: 18);
        plot.Axes.Title.Label.Bold = false;
        var map = plot.Add.Heatmap(Cells(layers, rows, columns));
        map.Colormap = new ScottPlot.Colormaps.Viridis();
        map.NaNCellColor = Colors.Transparent;
        var scale = plot.Add.ColorBar(map);
        scale.Label = "Frobenius norm of the change";
        // The first row of a heat map is the uppermost.
        plot.Axes.Left.TickGenerator = new NumericManual([.. rows.Select((_, i) => (double)(rows.Length - 1 - i))], rows);
        plot.Axes.Bottom.TickGenerator = new NumericManual([.. columns.Select((_, i) => (double)i)], columns);
        plot.Axes.Bottom.TickLabelStyle.Rotation = -90;
        plot.Axes.Bottom.TickLabelStyle.Alignment = Alignment.MiddleRight;
        plot.HideGrid();
        plot.Axes.Margins(0, 0);
        plot.Layout.Fixed(s_margins);
        PlotFont.Use(plot);
        (scale.LabelStyle.FontName, scale.Axis.TickLabelStyle.FontName) = (PlotFont.Name, PlotFont.Name);
        var width = Math.Clamp(columns.Length * ColumnWidth, 200, MostWidth) + (int)(s_margins.Left + s_margins.Right);
        var height = Math.Clamp(rows.Length * RowHeight, 100, MostWidth) + (int)(s_margins.Top + s_margins.Bottom);
        return plot.GetImageBytes(width, height, ImageFormat.Png);
    }

    /// <summary>Norms of several layers in one cell (the transformer blocks of SDXL) are those of their changes together.</summary>
    private static double[,] Cells(List<LayerNorms> layers, string[] rows, string[] columns)
    {
        var cells = new double[rows.Length, columns.Length];
        for (var row = 0; row < rows.Length; row++)
            for (var column = 0; column < columns.Length; column++) cells[row, column] = double.NaN;
        foreach (var cell in layers.GroupBy(layer => (layer.BlockName, layer.Kind)))
            cells[Array.IndexOf(rows, cell.Key.BlockName), Array.IndexOf(columns, cell.Key.Kind)] =
                Math.Sqrt(cell.Sum(layer => layer.DeltaNorm!.Value * layer.DeltaNorm.Value));
        return cells;
    }
}

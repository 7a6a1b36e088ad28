using ScottPlot.MultiplotLayouts;
using ScottPlot;

namespace StableTune.Training;

/// <summary>Draws what a run measured at each step: the loss, and below it the learning rates.</summary>
internal sealed class TrainingChart
{
    private const int Width = 960, RowHeight = 60, LossRows = 9, RateRows = 5;

    /// <summary>How much of the past the smoothed line keeps, as in TensorBoard.</summary>
    private const double Smoothing = 0.9;

    /// <summary>Lines that the legend of the rates names; a run with a rate for each block has more.</summary>
    private const int MostNamed = 6;

    private static readonly Color s_raw = Color.FromHex("#9CC5F0"), s_smooth = Color.FromHex("#1F6FC2");

    private readonly StepSeries _loss = new();
    private readonly Dictionary<string, StepSeries> _rates = [];

    /// <summary>Notes a step.</summary>
    public void Add(TrainingProgress progress)
    {
        _loss.Add(progress.Step, progress.Loss);
        foreach (var (name, rate) in progress.LearningRates)
        {
            if (!_rates.TryGetValue(name, out var series)) _rates.Add(name, series = new StepSeries());
            series.Add(progress.Step, rate);
        }
    }

    public void Save(StateWriter writer)
    {
        _loss.Save(writer, "loss");
        writer.Texts("rates", _rates.Keys);
        foreach (var (name, series) in _rates) series.Save(writer, "rate " + name);
    }

    public void Load(StateReader reader)
    {
        _loss.Load(reader, "loss");
        foreach (var name in reader.Texts("rates"))
        {
            _rates[name] = new StepSeries();
            _rates[name].Load(reader, "rate " + name);
        }
    }

    /// <summary>The chart as a PNG file.</summary>
    public byte[] ToPng()
    {
        using var loss = LossPlot();
        if (_rates.Count == 0) return loss.GetImageBytes(Width, LossRows * RowHeight, ImageFormat.Png);
        using var rates = RatesPlot();
        const int rows = LossRows + RateRows;
        var layout = new CustomGrid();
        layout.Set(loss, new GridCell(0, 0, rows, 1, LossRows, 1));
        layout.Set(rates, new GridCell(LossRows, 0, rows, 1, RateRows, 1));
        var both = new Multiplot(loss) { Layout = layout };
        both.AddPlot(rates);
        using var picture = both.Render(Width, rows * RowHeight);
        return picture.GetImageBytes(ImageFormat.Png);
    }

    private Plot LossPlot()
    {
        var plot = PlotStyle.Over("Loss", "loss");
        plot.Line(_loss, s_raw, 1.2f, "each step");
        plot.Line(_loss.Smoothed(Smoothing), s_smooth, 2.4f, $"smoothed ({PlotStyle.Number(Smoothing)})");
        return plot.Finish();
    }

    private Plot RatesPlot()
    {
        var lines = new List<(StepSeries Series, List<string> Names)>();
        foreach (var (name, series) in _rates)
        {
            if (lines.Find(line => line.Series.IsSame(series)) is { Names: { } names }) names.Add(name);
            else lines.Add((series, [name]));
        }

        var plot = PlotStyle.Over("Learning rate", "rate");
        var colors = new ScottPlot.Palettes.Category10();
        for (var i = 0; i < lines.Count; i++) plot.Line(lines[i].Series, colors.GetColor(i), 2, i < MostNamed ? Name(lines[i].Names) : "");
        return plot.Finish();
    }

    private static string Name(List<string> names) =>
        names.Count <= 3 ? string.Join(", ", names) : $"{names[0]}, {names[1]} and {names.Count - 2} more";
}

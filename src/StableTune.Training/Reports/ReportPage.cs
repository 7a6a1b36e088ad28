using System.Globalization;
using System.Net;
using System.Text;

namespace StableTune.Training;

/// <summary>
/// Writes a record as one HTML page that needs nothing else: charts are in it, pictures too, and no script. All text is escaped: prompts,
/// captions, file names and messages come from anywhere.
/// </summary>
internal sealed class ReportPage(RunRecord record, string folder)
{
    /// <summary>By this a page that a run has written is known again.</summary>
    public const string Mark = "<meta name=\"generator\" content=\"StableTune\">\n";

    private const int MostNamed = 6;
    private const double Smoothing = 0.9;

    private static readonly string s_product = $"StableTune {typeof(ReportPage).Assembly.GetName().Version?.ToString(3)}";

    private readonly StringBuilder _page = new();

    /// <param name="record">What happened.</param>
    /// <param name="folder">The folder of the page, from which files are named.</param>
    public static string Write(RunRecord record, string folder) => new ReportPage(record, Path.GetFullPath(folder)).Text();

    private string Text()
    {
        var title = ReportFacts.Title(record.Plan);
        _page.Append("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
            .Append(Mark)
            .Append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
            .Append("<meta http-equiv=\"Content-Security-Policy\" ")
            .Append("content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n")
            .Append("<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"robots\" content=\"noindex\">\n<title>")
            .Append(Escaped($"{title}: {record.Outcome}")).Append("</title>\n<style>\n").Append(s_style)
            .Append("</style>\n</head>\n<body>\n<main>\n");
        Header(title);
        Faults();
        Charts();
        new ReportSamples(record, folder, _page).Write();
        new ReportFiles(record, folder, _page).Write();
        Pairs("Images", ReportFacts.Data(record));
        Pairs("Time and memory", ReportFacts.Timing(record));
        Pairs("All options", ReportFacts.Options(record), folded: true);
        _page.Append("<footer>").Append(Escaped(s_product)).Append("</footer>\n</main>\n</body>\n</html>\n");
        return _page.ToString();
    }

    /// <summary>A text as it stands in a page; control characters become U+FFFD.</summary>
    public static string Escaped(string text) => WebUtility.HtmlEncode(
        new string([.. text.Select(letter => char.IsControl(letter) && letter is not ('\n' or '\t') ? '\uFFFD' : letter)]));

    private void Header(string title)
    {
        var plan = record.Plan;
        _page.Append("<header><h1>").Append(Escaped(title)).Append("</h1> <span class=\"badge ").Append(record.Outcome.Split(' ')[0])
            .Append("\">").Append(record.Outcome).Append("</span>\n<p>")
            .Append(Escaped($"{ReportFacts.Trained(plan)} on {ReportFacts.Model(plan)}"));
        if (record.Description is { } run) _page.Append(Escaped($", {run.BaseModel}, {run.Prediction}".ToLowerInvariant()));
        _page.Append("; ").Append(Escaped(ReportFacts.Moment(record.StartedAt))).Append("</p></header>\n<dl class=\"tiles\">\n");
        foreach (var (name, value) in ReportFacts.Main(record))
            _page.Append("<div><dt>").Append(name).Append("</dt><dd>").Append(Escaped(value)).Append("</dd></div>\n");
        _page.Append("</dl>\n");
    }

    private void Faults()
    {
        if (record.Ended?.Fault is { } fault and not OperationCanceledException)
            _page.Append("<section class=\"fault\"><h2>What ended it</h2><p>").Append(Escaped(fault.Message)).Append("</p></section>\n");
        if (record.Started!.Warnings is not { Count: > 0 } warnings) return;
        _page.Append("<section class=\"warnings\"><h2>Worth knowing</h2><ul>\n");
        foreach (var warning in warnings) _page.Append("<li>").Append(Escaped(warning)).Append("</li>\n");
        _page.Append("</ul></section>\n");
    }

    private void Charts()
    {
        if (record.Loss.Values.Count > 0)
        {
            var (smooth, top) = (record.Loss.Smoothed(Smoothing), Top());
            Chart("Loss",
                SvgChart.Lines([new(record.Loss, "raw"), new(smooth, "smooth"), new(record.ValidationLoss, "dots")], "loss", top),
                [("raw", "each step"), ("smooth", $"smoothed ({PlotStyle.Number(Smoothing)})"),
                    .. record.ValidationLoss.Values.Count > 0 ? new[] { ("dots", "validation") } : []],
                record.Loss.Values.Where(double.IsFinite).Any(value => value > top) ? "Rare peaks are cut off." : "");
        }

        var rates = Distinct();
        if (rates.Count > 0)
            Chart("Learning rate",
                SvgChart.Lines([.. rates.Select((line, i) => new ChartLine(line.Series, $"s{i % MostNamed}"))], "rates"),
                [.. rates.Take(MostNamed).Select((line, i) => ($"s{i}", Named(line.Names)))],
                rates.Count > MostNamed ? $"{rates.Count - MostNamed} more lines have no name here." : "");
        if (record.Last?.LossByTimestep is { Bins.Count: > 0 } histogram && histogram.Count > 0)
            Chart("Loss by timestep", SvgChart.Bars(histogram.Bins, "loss by timestep"), [], "");
    }

    private void Chart(string title, string svg, IReadOnlyList<(string Style, string Name)> legend, string note)
    {
        _page.Append("<section><h2>").Append(title).Append("</h2>\n").Append(svg);
        if (legend.Count > 0 || note.Length > 0) _page.Append("<p class=\"legend\">");
        foreach (var (style, name) in legend)
            _page.Append("<span><i class=\"").Append(style).Append("\"></i>").Append(Escaped(name)).Append("</span> ");
        if (legend.Count > 0 || note.Length > 0) _page.Append(note).Append("</p>\n");
        _page.Append("</section>\n");
    }

    /// <summary>So high that all but one in a hundred losses are seen, and the smoothed and the held-out ones all.</summary>
    private double Top()
    {
        double[] sorted = [.. record.Loss.Values.Where(double.IsFinite).Order()];
        if (sorted.Length == 0) return 1;
        var usual = sorted[(int)((sorted.Length - 1) * 0.99)];
        var always = record.Loss.Smoothed(Smoothing).Values.Concat(record.ValidationLoss.Values).Where(double.IsFinite).DefaultIfEmpty(0)
            .Max();
        return sorted[^1] <= 1.5 * usual ? Math.Max(sorted[^1], always) : Math.Max(usual, always) * 1.1;
    }

    /// <summary>Rates that were the same all the time are one line.</summary>
    private List<(StepSeries Series, List<string> Names)> Distinct()
    {
        var lines = new List<(StepSeries Series, List<string> Names)>();
        foreach (var (name, series) in record.Rates)
        {
            if (lines.Find(line => line.Series.IsSame(series)) is { Names: { } names }) names.Add(name);
            else lines.Add((series, [name]));
        }

        return lines;
    }

    private static string Named(List<string> names) =>
        names.Count <= 3 ? string.Join(", ", names) : $"{names[0]}, {names[1]} and {names.Count - 2} more";

    private void Pairs(string title, IEnumerable<(string Name, string Value)> pairs, bool folded = false)
    {
        var list = pairs.ToList();
        if (list.Count == 0) return;
        _page.Append(folded ? "<section><details><summary><h2>" : "<section><h2>").Append(title).Append("</h2>")
            .Append(folded ? string.Create(CultureInfo.InvariantCulture, $" ({list.Count})</summary>") : "")
            .Append("\n<table class=\"pairs\">\n");
        foreach (var (name, value) in list)
            _page.Append("<tr><th>").Append(Escaped(name)).Append("</th><td>").Append(Escaped(value)).Append("</td></tr>\n");
        _page.Append("</table>").Append(folded ? "</details>" : "").Append("</section>\n");
    }

    private static readonly string s_style = Style();

    private static string Style()
    {
        using var stream = typeof(ReportPage).Assembly.GetManifestResourceStream("StableTune.Training.Reports.report.css")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}

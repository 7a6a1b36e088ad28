using System.Globalization;
using System.Net;
using System.Text;
using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>Writes the page: one file without scripts, images within.</summary>
internal static class PreviewPage
{
    private const string Style = """
        :root { color-scheme: light dark; --line: #8884; --soft: #8881; --bad: #c33; --odd: #b70; }
        body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 1500px; padding: 0 1rem; }
        h1 { margin-bottom: 0; } h2 { margin-top: 2.2rem; border-bottom: 1px solid var(--line); }
        .lead { color: #888; margin-top: .2rem; }
        table { border-collapse: collapse; } td, th { padding: .25rem .8rem; border-bottom: 1px solid var(--line); text-align: right; }
        td:first-child, th:first-child { text-align: left; } .text td, .text th { text-align: left; }
        .cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(260px, 1fr)); gap: 1rem; }
        .card { border: 1px solid var(--line); border-radius: 8px; padding: .7rem; background: var(--soft); overflow-wrap: anywhere; }
        .card .pictures { display: flex; gap: .4rem; flex-wrap: wrap; align-items: start; min-height: 60px; }
        .card img { border-radius: 4px; max-width: 100%; } .card img + img { max-width: 40%; } .card b { display: block; margin-top: .4rem; }
        .card small { color: #888; } .card ol { margin: .4rem 0 0; padding-left: 1.5rem; } .card li { margin-bottom: .15rem; }
        .tag { display: inline-block; border: 1px solid var(--line); border-radius: 9px; padding: 0 .5rem; margin: .2rem .2rem 0 0; font-size: 12px; }
        summary { cursor: pointer; margin: .3rem 0; }
        .bad { color: var(--bad); } .odd { color: var(--odd); }
        """;

    internal static string Write(TrainingDataset dataset, PreviewOptions options, IReadOnlyList<PreviewCard> cards,
        DatasetCheckReport findings)
    {
        var page = new StringBuilder();
        page.Append(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
                + "content=\"width=device-width\">\n<title>")
            .Append(Text(options.Title)).Append("</title>\n<style>\n").Append(Style).Append("\n</style>\n</head>\n<body>\n");
        Head(page, dataset, options, cards.Count);
        Folders(page, dataset);
        Buckets(page, dataset);
        Findings(page, dataset, findings);
        var oddities = findings.Findings.ToLookup(finding => finding.Path, StringComparer.Ordinal);
        foreach (var size in cards.GroupBy(card => (card.Sample.Framing.Size, card.Sample.Dataset)))
        {
            page.Append(string.Create(CultureInfo.InvariantCulture, $"<h2>{size.Key.Size}</h2>\n<div class=\"cards\">\n"));
            foreach (var card in size)
                Card(page, card, options, oddities[card.Sample.Path]
                    .Where(finding => finding.Size is not { } at || at == card.Sample.Framing.Size));
            page.Append("</div>\n");
        }

        return page.Append("</body>\n</html>\n").ToString();
    }

    private static void Head(StringBuilder page, TrainingDataset dataset, PreviewOptions options, int shown)
    {
        var drawn = dataset.Buckets.Sum(bucket => bucket.Entries.Count);
        page.Append(
            string.Create(CultureInfo.InvariantCulture,
            $"<h1>{Text(options.Title)}</h1>\n<p class=\"lead\">{dataset.Samples.Count} images, {drawn} with repeats, "
                + $"{dataset.BatchesPerEpoch} batches in an epoch. "))
            .Append(shown < dataset.Samples.Count ? string.Create(CultureInfo.InvariantCulture, $"{shown} images are shown. ") : "")
            .Append(string.Create(CultureInfo.InvariantCulture,
                $"Pictures, captions and mirror images are those of a run with seed {options.EffectiveSeed}.</p>\n"));
    }

    private static void Folders(StringBuilder page, TrainingDataset dataset)
    {
        page.Append(
            "<h2>Folders</h2>\n<table class=\"text\"><tr><th>folder</th><th>images</th><th>repeats</th><th>role</th><th>class "
                + "tokens</th></tr>\n");
        foreach (var folder in dataset.Folders)
            page.Append(string.Create(CultureInfo.InvariantCulture,
                $"<tr><td>{Text(folder.Name)}</td><td>{folder.ImageCount}</td><td>{folder.Repeats}</td>"))
                .Append(string.Create(CultureInfo.InvariantCulture,
                    $"<td>{(folder.Options.IsRegularization ? "regularisation" : "training")}</td>"
                    + $"<td>{Text(folder.ClassTokens ?? "")}</td></tr>\n"));
        page.Append("</table>\n");
    }

    private static void Buckets(StringBuilder page, TrainingDataset dataset)
    {
        page.Append(
            "<h2>Sizes</h2>\n<table><tr><th>size</th><th>images</th><th>with repeats</th><th>batches</th><th>batch size</th><th>cut "
                + "away</th><th>enlarged</th><th>shape error</th></tr>\n");
        foreach (var bucket in dataset.Buckets)
        {
            TrainingSample[] samples = [.. bucket.Entries.Distinct().Select(index => dataset.Samples[index])];
            var lost = samples.Average(sample => 1 - ((double)sample.Framing.Size.Area / sample.Framing.Resized.Area));
            var enlarged = samples.Count(sample => sample.Framing.Resized.Width > sample.ImageSize.Width);
            var error = samples.Average(sample => Math.Abs(sample.Framing.Size.AspectRatio - sample.ImageSize.AspectRatio));
            page.Append(
                string.Create(CultureInfo.InvariantCulture,
                $"<tr><td>{bucket.Size}</td><td>{samples.Length}</td><td>{bucket.Entries.Count}</td>"
                    + $"<td>{bucket.BatchCount}</td><td>{bucket.BatchSize}</td>"))
                .Append(string.Create(CultureInfo.InvariantCulture, $"<td>{lost:P1}</td><td>{enlarged}</td><td>{error:0.000}</td></tr>\n"));
        }

        page.Append(string.Create(CultureInfo.InvariantCulture,
            $"</table>\n<p class=\"lead\">Mean shape error {dataset.MeanAspectRatioError:0.0000}.</p>\n"));
    }

    private static void Findings(StringBuilder page, TrainingDataset dataset, DatasetCheckReport findings)
    {
        if (findings.Findings.Count == 0 && !dataset.Notes.Any()) return;
        page.Append(string.Create(CultureInfo.InvariantCulture,
            $"<h2>Notes</h2>\n<p>{findings.ErrorCount} errors, {findings.WarningCount} warnings.</p>\n<ul>\n"));
        foreach (var warning in dataset.Notes) page.Append(string.Create(CultureInfo.InvariantCulture, $"<li>{Text(warning)}</li>\n"));
        page.Append("</ul>\n");
        foreach (var kind in findings.Findings.GroupBy(finding => (finding.Severity, finding.Kind)))
        {
            page.Append(
                string.Create(CultureInfo.InvariantCulture,
                $"<details{(kind.Key.Severity == FindingSeverity.Error ? " open" : "")}><summary "
                    + $"class=\"{Color(kind.Key.Severity)}\">{kind.Key.Kind}: {kind.Count()}</summary>\n<table class=\"text\">\n"));
            foreach (var finding in kind)
                page.Append(string.Create(CultureInfo.InvariantCulture,
                    $"<tr><td>{Text(finding.Path)}</td><td>{Text(finding.Message)}</td></tr>\n"));
            page.Append("</table></details>\n");
        }
    }

    private static void Card(StringBuilder page, PreviewCard card, PreviewOptions options, IEnumerable<DatasetFinding> findings)
    {
        var (sample, framing) = (card.Sample, card.Sample.Framing);
        page.Append("<div class=\"card\"><div class=\"pictures\">");
        Picture(page, card.Picture, "as the model sees it");
        Picture(page, card.Mask, "mask");
        Picture(page, card.Second, "second image");
        if (card.Fault is { } fault) page.Append(string.Create(CultureInfo.InvariantCulture, $"<span class=\"bad\">{Text(fault)}</span>"));
        page.Append(
            string.Create(CultureInfo.InvariantCulture,
            $"</div><b>{Text(Path.GetFileName(sample.Path))}</b><small>{Text(sample.Folder)} · {sample.ImageSize} → {framing.Resized}, "
                + $"cut at {framing.Left},{framing.Top}</small><br>"));
        Tag(page, string.Create(CultureInfo.InvariantCulture, $"× {sample.Repeats}"));
        if (sample.Subset.IsRegularization)
            Tag(page, string.Create(CultureInfo.InvariantCulture, $"regularisation, weight {sample.LossWeight}"));
        if (options.Check.CountTokens is { } count)
            Tag(page, string.Create(CultureInfo.InvariantCulture, $"{count(sample.Caption)} tokens"));
        foreach (var finding in findings) Tag(page, finding.Kind.ToString(), Color(finding.Severity), finding.Message);
        page.Append("<ol>");
        foreach (var use in card.Uses)
            page.Append(
                string.Create(CultureInfo.InvariantCulture,
                $"<li>{(use.Caption.Length == 0 ? "<i>no text</i>" : Text(use.Caption))}"
                    + $"{(use.Flipped ? " <span class=\"tag\">mirrored</span>" : "")}</li>"));
        page.Append("</ol></div>\n");
    }

    private static void Picture(StringBuilder page, byte[]? jpeg, string title)
    {
        if (jpeg is not null)
            page.Append(
            string.Create(CultureInfo.InvariantCulture,
            $"<img title=\"{title}\" alt=\"{title}\" loading=\"lazy\" src=\"data:image/jpeg;base64,{Convert.ToBase64String(jpeg)}\">"));
    }

    private static void Tag(StringBuilder page, string text, string kind = "", string title = "") =>
        page.Append(string.Create(CultureInfo.InvariantCulture, $"<span class=\"tag {kind}\" title=\"{Text(title)}\">{Text(text)}</span>"));

    private static string Color(FindingSeverity severity) => severity == FindingSeverity.Error ? "bad" : "odd";

    private static string Text(string text) => WebUtility.HtmlEncode(text);
}

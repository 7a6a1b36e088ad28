using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Encodings.Web;
using StableTune.Adapters;
using StableTune.Hub;
using StableTune.Trainables;

namespace StableTune.Training;

/// <summary>A picture that a model card shows.</summary>
/// <param name="Path">Its path beside the card.</param>
/// <param name="Prompt">What it was drawn by.</param>
internal sealed record CardPicture(string Path, string Prompt);

/// <summary>
/// Writes a record as a model card: facts of the run for those who use its result, with the YAML front matter by which hubs find it. No
/// folders of this machine, and all text escaped.
/// </summary>
internal static class ModelCardText
{
    /// <summary>By this a card that a run has written is known again.</summary>
    public const string Mark = "<!-- Written by StableTune: a later run replaces this file unless this line is removed. -->";

    private static readonly JsonSerializerOptions s_yaml = new() { Encoder = JavaScriptEncoder.Default };

    /// <summary>The card.</summary>
    /// <param name="record">What happened.</param>
    /// <param name="pictures">What it shows.</param>
    /// <param name="results">The files that lie beside it.</param>
    public static string Write(RunRecord record, IReadOnlyList<CardPicture> pictures, IEnumerable<WrittenFile> results)
    {
        var plan = record.Plan;
        var text = new StringBuilder("---\n");
        FrontMatter(text, record, pictures);
        text.Append("---\n\n").Append(Mark).Append("\n\n# ").Append(Escaped(ReportFacts.Title(plan))).Append("\n\n")
            .Append(Escaped(What(plan))).Append(" trained with StableTune on ").Append(Escaped(ReportFacts.Model(plan))).Append(".\n");
        if (record.Outcome != "finished")
            text.Append(CultureInfo.InvariantCulture, $"\nThe run was {record.Outcome}: what is here is what it had saved.\n");
        Pictures(text, pictures);
        text.Append("\n## Training\n\n| | |\n|---|---|\n");
        foreach (var (name, value) in Facts(record)) text.Append("| ").Append(name).Append(" | ").Append(Escaped(value)).Append(" |\n");
        text.Append("\n## Files\n\n");
        foreach (var file in results)
            text.Append("- ").Append(Escaped(Path.GetFileName(Path.TrimEndingDirectorySeparator(file.Path))))
                .Append(CultureInfo.InvariantCulture, $", step {file.Step}\n");
        return text.ToString();
    }

    /// <summary>A text as one line of Markdown without markup: every sign that could mean something is escaped.</summary>
    internal static string Escaped(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (var letter in text)
        {
            if (letter == '&') result.Append("&amp;");
            else if (letter == '<') result.Append("&lt;");
            else if (letter == '>') result.Append("&gt;");
            else if (char.IsControl(letter)) result.Append(' ');
            else if (char.IsAscii(letter) && (char.IsPunctuation(letter) || char.IsSymbol(letter)) && letter is not (',' or '.' or '/'
                or ':'))
                result.Append('\\').Append(letter);
            else result.Append(letter);
        }

        return result.ToString().Trim();
    }

    private static void FrontMatter(StringBuilder text, RunRecord record, IReadOnlyList<CardPicture> pictures)
    {
        var plan = record.Plan;
        text.Append("library_name: diffusers\npipeline_tag: text-to-image\n");
        if (plan.ModelPath is { } path && !Path.Exists(path) && HubName.TryParse(path, out var name, out _))
            text.Append("base_model: ").Append(Yaml(name.Repository)).Append('\n');
        text.Append("tags:\n");
        foreach (var tag in Tags(record)) text.Append("- ").Append(Yaml(tag)).Append('\n');
        if (pictures.Count == 0) return;
        text.Append("widget:\n");
        foreach (var picture in pictures)
            text.Append("- text: ").Append(Yaml(picture.Prompt)).Append("\n  output:\n    url: ").Append(Yaml(Address(picture.Path)))
                .Append('\n');
    }

    /// <summary>A text in quotes: what JSON takes, YAML takes too.</summary>
    private static string Yaml(string text) => JsonSerializer.Serialize(text, s_yaml);

    private static string Address(string path) => string.Join('/', path.Split('/').Select(Uri.EscapeDataString));

    private static IEnumerable<string> Tags(RunRecord record)
    {
        yield return "stabletune";
        yield return "stable-diffusion";
        if (record.Description?.BaseModel == ModelVersion.Sdxl) yield return "stable-diffusion-xl";
        foreach (var trainable in record.Plan.Trainables.Where(trainable => trainable.Trained))
            switch (trainable)
            {
                case AdapterTrainableOptions { Adapter: LoRAOptions }: yield return "lora"; break;
                case TextualInversionOptions: yield return "textual_inversion"; break;
                case ControlNetOptions: yield return "controlnet"; break;
            }
    }

    private static string What(TrainingPlan plan) => string.Join(" and ", plan.Trainables.Where(trainable => trainable.Trained)
        .Select(trainable => trainable switch
        {
            AdapterTrainableOptions adapter => $"{trainable.EffectiveName} ({Numbers(adapter.Adapter)})",
            _ => trainable.EffectiveName,
        }));

    private static string Numbers(AdapterOptions adapter)
    {
        var type = adapter.GetType();
        return string.Join(", ", new[] { "Rank", "Alpha" }
            .Select(name => (name, Value: type.GetProperty(name)?.GetValue(adapter))).Where(pair => pair.Value is not null)
            .Select(pair => $"{pair.name.ToLowerInvariant()} {Convert.ToString(pair.Value, CultureInfo.InvariantCulture)}")
            .DefaultIfEmpty(type.Name.Replace("Options", "", StringComparison.Ordinal)));
    }

    private static void Pictures(StringBuilder text, IReadOnlyList<CardPicture> pictures)
    {
        if (pictures.Count == 0) return;
        text.Append("\n## Samples\n");
        foreach (var picture in pictures)
            text.Append("\n![sample](").Append(Address(picture.Path)).Append(")\n\n").Append(Escaped(picture.Prompt)).Append('\n');
    }

    private static IEnumerable<(string Name, string Value)> Facts(RunRecord record)
    {
        var (plan, culture) = (record.Plan, CultureInfo.InvariantCulture);
        foreach (var fact in ReportFacts.Main(record).Where(fact => fact.Name is not ("peak memory" or "images per second")))
            yield return fact;
        if (record.Description?.Dataset is { } dataset)
        {
            yield return ("images, with repeats", dataset.TrainingImageCount.ToString("#,0", culture));
            yield return ("resolution", dataset.Resolution.ToString());
            yield return ("batch size", (dataset.Options.BatchSize * plan.GradientAccumulation).ToString(culture));
        }

        yield return ("method", plan.Method.GetType().Name.Replace("Options", "", StringComparison.Ordinal).ToLowerInvariant());
        yield return ("optimizer", plan.Optimizer.ReferenceName);
        foreach (var (name, series) in record.Rates)
            if (series.Values.Where(double.IsFinite).DefaultIfEmpty(double.NaN).Max() is var most && double.IsFinite(most))
                yield return ($"learning rate, {Escaped(name)}", SvgChart.Number(most));
        yield return ("loss", plan.Loss.Loss.Name);
        yield return ("precision", plan.Precision.Compute.ToString().ToLowerInvariant());
        yield return ("seed", plan.Seed.ToString(culture));
        if (plan.ClipSkip is { } skip) yield return ("clip skip", skip.ToString(culture));
        yield return ("trained", record.StartedAt.ToString("yyyy-MM-dd", culture));
    }
}

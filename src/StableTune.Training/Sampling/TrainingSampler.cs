using System.Globalization;
using StableTune.Diffusion;
using StableTune.Imaging;
using StableTune.Models;

namespace StableTune.Training;

/// <summary>When samples are drawn.</summary>
/// <param name="Title">For the contact sheet: "before", "step 100" ...</param>
/// <param name="Number">For file names, as sd-scripts has it: six digits of the step, or e and six digits of the epoch.</param>
internal sealed record SampleMoment(string Title, string Number)
{
    public static SampleMoment Before { get; } = new("before", "000000");

    public static SampleMoment AtStep(int step) => new(string.Create(CultureInfo.InvariantCulture, $"step {step}"), step.ToString("D6", CultureInfo.InvariantCulture));

    public static SampleMoment AtEpoch(int epoch) => new(string.Create(CultureInfo.InvariantCulture, $"epoch {epoch}"), "e" + epoch.ToString("D6", CultureInfo.InvariantCulture));

    public static SampleMoment After(int step) => AtStep(step) with { Title = "after" };
}

/// <summary>
/// Draws the sample prompts with the model as it is at that moment, and a contact sheet of all moments so far: a column for each prompt,
/// a row for each moment. Uses generators of its own, so samples do not change what is learnt.
/// </summary>
internal sealed class TrainingSampler(SampleOptions options, StableDiffusionModel model, TrainingPlan plan, IReadOnlyList<ITrainingTarget> targets)
{
    private readonly List<ContactSheetRow> _rows = [];

    /// <summary>Draws, and writes the pictures and the sheet.</summary>
    /// <returns>The files; the contact sheet last.</returns>
    public IReadOnlyList<string> Draw(SampleMoment moment)
    {
        foreach (var target in targets) target.SetTraining(false);
        try
        {
            return Write(moment);
        }
        finally
        {
            foreach (var target in targets) target.SetTraining(true);
        }
    }

    private IReadOnlyList<string> Write(SampleMoment moment)
    {
        var pipeline = new TextToImagePipeline(model);
        var stamp = plan.Clock.GetLocalNow().ToString("yyyyMMddHHmmss", CultureInfo.InvariantCulture);
        List<ContactSheetItem> items = [];
        List<string> files = [];
        foreach (var (prompt, index) in options.Prompts.Select((p, i) => (p, i)))
        {
            var drawn = pipeline.GenerateMany(prompt with { ImageCount = 1, ClipSkip = prompt.ClipSkip ?? plan.ClipSkip })[0];
            var file = Path.Combine(options.Folder!, Prefix + string.Create(CultureInfo.InvariantCulture, $"{moment.Number}_{index:D2}_{stamp}_{drawn.Seed}.png"));
            drawn.SavePng(file);
            items.Add(new ContactSheetItem(drawn.Image, prompt.Prompt));
            files.Add(file);
        }

        _rows.Add(new ContactSheetRow(moment.Title, items));
        var sheet = Path.Combine(options.Folder!, Prefix + "contact-sheet.png");
        ImageFile.SavePng(sheet, ContactSheet.Draw(_rows, new ContactSheetOptions { Title = options.Name ?? "" }));
        return [.. files, sheet];
    }

    private string Prefix => options.Name is { Length: > 0 } name ? name + "_" : "";
}

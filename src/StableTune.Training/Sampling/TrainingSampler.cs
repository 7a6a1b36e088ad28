using System.Globalization;
using StableTune.Diffusion;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Trainables;

namespace StableTune.Training;

/// <summary>When samples are drawn.</summary>
/// <param name="Title">For the contact sheet: "before", "step 100" ...</param>
/// <param name="Number">For file names, as sd-scripts has it: six digits of the step, or e and six digits of the epoch.</param>
internal sealed record SampleMoment(string Title, string Number)
{
    public static SampleMoment Before { get; } = new("before", "000000");

    public static SampleMoment AtStep(int step) =>
        new(string.Create(CultureInfo.InvariantCulture, $"step {step}"), step.ToString("D6", CultureInfo.InvariantCulture));

    public static SampleMoment AtEpoch(int epoch) =>
        new(string.Create(CultureInfo.InvariantCulture, $"epoch {epoch}"), "e" + epoch.ToString("D6", CultureInfo.InvariantCulture));

    public static SampleMoment After(int step) => AtStep(step) with { Title = "after" };
}

/// <summary>
/// Draws the sample prompts with the model as it is at that moment, and a contact sheet of all moments so far: a column for each prompt,
/// a row for each moment. Uses generators of its own, so samples do not change what is learnt.
/// </summary>
internal sealed class TrainingSampler(
    SampleOptions options, StableDiffusionModel model, TrainingPlan plan, IReadOnlyList<ITrainable> trainables,
    IEnumerable<ISampleStage> stages) : IResumable
{
    private readonly List<ContactSheetRow> _rows = [];
    private readonly List<(string Title, string[] Files)> _drawn = [];

    public string Name => "samples";

    /// <summary>Parts that wait in host memory between drawings; null for none.</summary>
    public WaitingParts? Waiting { get; init; }

    /// <summary>The processes that share the prompts; null for this one alone.</summary>
    public RunProcesses? Processes { get; init; }

    /// <summary>Draws, and writes the pictures and the sheet.</summary>
    /// <param name="moment">When.</param>
    /// <param name="isShared">Whether all processes draw now, each its part of the prompts.</param>
    /// <returns>The files; the contact sheet last. In processes other than the first none.</returns>
    public IReadOnlyList<string> Draw(SampleMoment moment, bool isShared = true)
    {
        if (!isShared && Processes is { IsFirst: false }) return [];
        foreach (var trainable in trainables) trainable.SetTraining(false);
        using var tokens = MemorySettings.WholeTokens(model);
        using var parts = Waiting?.Bring();
        try
        {
            return Write(moment, isShared && Processes is { AreSeveral: true } ? Processes : null);
        }
        finally
        {
            foreach (var trainable in trainables) trainable.SetTraining(true);
        }
    }

    private IReadOnlyList<string> Write(SampleMoment moment, RunProcesses? sharing)
    {
        var stamp = plan.Clock.GetLocalNow().ToString("yyyyMMddHHmmss", CultureInfo.InvariantCulture);
        string FileOf(int index, long seed) => Path.Combine(options.Folder!,
            Prefix + string.Create(CultureInfo.InvariantCulture, $"{moment.Number}_{index:D2}_{stamp}_{seed}.png"));
        List<ShownSample> shown = [];
        if (sharing is null)
        {
            DrawPrompts(_ => true, (index, picture) =>
            {
                picture.SavePng(FileOf(index, picture.Seed));
                shown.Add(new(FileOf(index, picture.Seed), options.Prompts[index].Prompt, picture.Image));
            });
            return Show(moment, shown);
        }

        List<(int, GeneratedImage)> own = [];
        DrawPrompts(index => index % sharing.Count == sharing.Place, (index, picture) => own.Add((index, picture)));
        var pictures = SharedSamples.Gather(sharing, own);
        if (!sharing.IsFirst) return [];
        Directory.CreateDirectory(options.Folder!);
        foreach (var (index, seed, png) in pictures)
        {
            var file = FileOf(index, seed);
            AtomicFile.Write(file, stream => stream.Write(png));
            shown.Add(new(file, options.Prompts[index].Prompt, ImageFile.Load(file)));
        }

        return Show(moment, shown);
    }

    /// <summary>A picture that was written.</summary>
    private sealed record ShownSample(string File, string Prompt, PixelImage Image);

    private void DrawPrompts(Func<int, bool> isMine, Action<int, GeneratedImage> keep)
    {
        var place = 0;
        UNetConditions Staged(UNetConditions conditions, TextToImageOptions prompt)
        {
            var pass = new SamplePass { Prompt = prompt, Index = place, Conditions = conditions };
            return stages.Aggregate(pass, (now, stage) => now with { Conditions = stage.Add(now) }).Conditions;
        }

        var pipeline = new TextToImagePipeline(model) { ChangeConditions = stages.Any() ? Staged : null };
        foreach (var (prompt, index) in options.Prompts.Select((p, i) => (p, i)).Where(entry => isMine(entry.i)))
        {
            place = index;
            using var strengths = Strengths(prompt.AdapterStrengths);
            foreach (var picture in pipeline.GenerateMany(
                prompt with { ClipSkip = prompt.ClipSkip ?? plan.ClipSkip, AdapterStrengths = [] })) keep(index, picture);
        }
    }

    /// <summary>Adds a row to the contact sheet.</summary>
    private IReadOnlyList<string> Show(SampleMoment moment, IReadOnlyList<ShownSample> samples)
    {
        string[] files = [.. samples.Select(sample => sample.File)];
        _rows.Add(new ContactSheetRow(moment.Title, [.. samples.Select(sample => new ContactSheetItem(sample.Image, sample.Prompt))]));
        _drawn.Add((moment.Title, files));
        var sheet = Path.Combine(options.Folder!, Prefix + "contact-sheet.png");
        ImageFile.SavePng(sheet, ContactSheet.Draw(_rows, new ContactSheetOptions { Title = options.Name ?? "" }));
        return [.. files, sheet];
    }

    /// <summary>Sets how strongly each of what is trained acts, until the result is disposed of.</summary>
    private Restored Strengths(IReadOnlyList<double> strengths)
    {
        ITrainable[] set = strengths.Count == 0 ? [] : [.. plan.Trainables.Zip(trainables)
            .Where(pair => pair.First.Trained && pair.Second.CanBeLeftOut).Select(pair => pair.Second)];
        for (var i = 0; i < set.Length; i++) set[i].SetMultiplier(strengths[Math.Min(i, strengths.Count - 1)]);
        return new Restored(set);
    }

    private readonly struct Restored(ITrainable[] set) : IDisposable
    {
        public void Dispose()
        {
            foreach (var trainable in set) trainable.SetMultiplier(1);
        }
    }

    private string Prefix => options.Name is { Length: > 0 } name ? name + "_" : "";

    public void Save(StateWriter writer)
    {
        writer.Texts("titles", _drawn.Select(row => row.Title));
        for (var i = 0; i < _drawn.Count; i++) writer.Texts($"files {i}", _drawn[i].Files);
    }

    /// <summary>The rows of the contact sheet, from the pictures that were drawn; a row whose pictures are gone, or that was drawn from
    /// other prompts, is left out.</summary>
    public void Load(StateReader reader)
    {
        foreach (var (title, i) in reader.Texts("titles").Select((title, i) => (title, i)))
        {
            string[] files = [.. reader.Texts($"files {i}")];
            // A prompt for each picture.
            var prompts = options.Prompts.SelectMany(prompt => Enumerable.Repeat(prompt.Prompt, prompt.ImageCount)).ToList();
            if (files.Length != prompts.Count || !files.All(File.Exists)) continue;
            _rows.Add(new ContactSheetRow(title,
                [.. files.Zip(prompts, (file, prompt) => new ContactSheetItem(ImageFile.Load(file), prompt))]));
            _drawn.Add((title, files));
        }
    }
}

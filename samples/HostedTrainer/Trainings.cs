using StableTune.Schedules;

namespace StableTune.Samples;

/// <summary>What the page asks for.</summary>
/// <param name="Name">What people call the training; letters, digits, blanks, hyphens.</param>
/// <param name="Steps">Optimizer steps.</param>
/// <param name="Rank">Rank of the LoRA.</param>
/// <param name="LearningRate">Of the UNet; the text encoder gets half of it.</param>
/// <param name="Prompt">What is drawn before, between and after.</param>
internal sealed record TrainingRequest(string? Name, int Steps = 100, int Rank = 8, double LearningRate = 2e-3, string? Prompt = null)
{
    /// <summary>What the run cannot know: the rest is checked by the run itself.</summary>
    public IEnumerable<string> Problems()
    {
        if (string.IsNullOrWhiteSpace(Name) || Name.Length > 60 || !Name.All(IsOfAName))
            yield return $"name is \"{Name}\": a name has 1 to 60 letters, digits, blanks and hyphens. It becomes the name of a file.";
        if (Steps is < 1 or > 100_000) yield return $"steps is {Steps}: trainings here take 1 to 100000 steps. Give such a number.";
        if (Prompt is { Length: > 400 }) yield return $"prompt has {Prompt.Length} characters: 400 are shown. Shorten it.";
    }

    private static bool IsOfAName(char letter) => char.IsLetterOrDigit(letter) || letter is ' ' or '-';
}

/// <summary>Turns what a page asks for into a training.</summary>
internal sealed class Trainings(string folder)
{
    /// <summary>The folder that results are written to, each training into one of its own.</summary>
    public string Folder => folder;

    /// <summary>Describes the training; the model, and where it runs, come from the configuration.</summary>
    public void Describe(TrainerBuilder builder, TrainingRequest request)
    {
        var output = Path.Combine(folder, $"{DateTime.Now:yyyyMMdd-HHmmss}-{Guid.NewGuid():N}"[..22]);
        var prompts = new[] { request.Prompt is { Length: > 0 } prompt ? prompt : "sls frog on a red background", "a red circle" };
        builder
            .WithImages(Path.Combine(AppContext.BaseDirectory, "images", "5_sls frog"), resolution: 128,
                captionExtensions: CaptionFiles.Any)
            .WithBatchSize(4)
            .WithLoRA(rank: request.Rank, alpha: request.Rank)
            .WithLearningRate(request.LearningRate, textEncoder: request.LearningRate / 2)
            .WithWarmup(Warmup.Steps(10))
            .For(TrainingLength.Steps(request.Steps))
            .WithSamples(new SampleOptions
            {
                Folder = Path.Combine(output, "samples"), EveryNSteps = Math.Max(1, request.Steps / 4),
                Prompts = [.. prompts.Select((text, i) => new TextToImageOptions
                {
                    Prompt = text, Width = 128, Height = 128, Steps = 8, GuidanceScale = 5, Seed = 7 + i,
                })],
            })
            .SaveState(Path.Combine(output, "state"), keepLast: 1)
            .SaveTo(Path.Combine(output, request.Name!.Trim().Replace(' ', '-') + ".safetensors"));
    }
}

using StableTune.Samples;
using System.Globalization;
using Spectre.Console;
using StableTune.Schedules;
using StableTune;

// Trains a LoRA on eight small pictures of a frog with an embedded tiny model, draws samples before and after, and says where everything
// is.
//   quickstart.sh [--steps N] [--out FOLDER]      200 steps; out/quickstart below the repository
if (!int.TryParse(Option("--steps") ?? "200", NumberStyles.Integer, CultureInfo.InvariantCulture, out var steps)
    || args.Length % 2 != 0 || args.Where((_, i) => i % 2 == 0).Any(name => name is not ("--steps" or "--out")))
{
    Console.Error.WriteLine($"\"{string.Join(' ', args)}\" is not understood. Usage: quickstart.sh [--steps N] [--out FOLDER]");
    return 2;
}

var output = Path.GetFullPath(Option("--out") ?? Path.Combine("out", "quickstart"));

TextToImageOptions[] prompts = [.. new[] { "sls frog on a red background", "sls frog on a blue background", "a red circle" }
    .Select((prompt, i) => new TextToImageOptions { Prompt = prompt, Width = 128, Height = 128, Steps = 12, GuidanceScale = 5,
        Seed = 7 + i })];

var builder = new TrainerBuilder()
    .WithModel(Path.Combine(output, "model"))
    .WithImages(Path.Combine(AppContext.BaseDirectory, "images", "5_sls frog"), resolution: 128, captionExtensions: CaptionFiles.Any)
    .WithBatchSize(4)
    .WithLoRA(rank: 8, alpha: 8)
    .WithLearningRate(2e-3, textEncoder: 1e-3)
    .WithWarmup(Warmup.Steps(10))
    .For(TrainingLength.Steps(steps))
    .WithSamples(Path.Combine(output, "samples"), prompts)
    .WithLog(Path.Combine(output, "log.jsonl"))
    .WithLossCurve(Path.Combine(output, "loss.png"))
    .SaveTo(Path.Combine(output, "frog.safetensors"))
    .Overwrite();

try
{
    TinyModel.Unpack(Path.Combine(output, "model"));
    var result = TrainWithDisplay(builder.Build());
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"""
        Trained {result.Steps} steps in {result.TrainingTime.TotalSeconds:F1} s: loss {result.Losses.Take(20).Average():F4} in the first 20 steps, {result.Losses.TakeLast(20).Average():F4} in the last 20.
        """));
    Console.WriteLine($"adapter       {result.Files[0]}");
    Console.WriteLine($"loss curve    {Path.Combine(output, "loss.png")}");
    Console.WriteLine($"contact sheet {result.Samples[^1]}");
    Console.WriteLine($"log           {Path.Combine(output, "log.jsonl")}");
    return 0;
}
catch (Exception e) when (e is InvalidOptionsException or IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine(e.Message);
    return 2;
}

static TrainingResult TrainWithDisplay(Trainer trainer)
{
    if (Console.IsOutputRedirected) return trainer.Train(new ConsoleProgress(Console.Out, interactive: false));
    return AnsiConsole.Progress()
        .Columns(new SpinnerColumn(), new ProgressBarColumn(), new PercentageColumn(),
            new TaskDescriptionColumn { Alignment = Justify.Left })
        .Start(context =>
        {
            var task = context.AddTask("starting");
            return trainer.Train(new OnThisThread(progress =>
            {
                var (done, total) = progress.Work is { } work ? (work.Done, work.Total) : (progress.Step, progress.TotalSteps);
                (task.MaxValue, task.Value) = (Math.Max(1, total), done);
                task.Description = Markup.Escape(ConsoleProgress.Describe(progress));
            }));
        });
}

string? Option(string name) => Array.IndexOf(args, name) is var i and >= 0 && i + 1 < args.Length ? args[i + 1] : null;

/// <summary>Reports at once, on the thread that trains: <see cref="Progress{T}"/> may deliver reports out of order.</summary>
internal sealed class OnThisThread(Action<TrainingProgress> show) : IProgress<TrainingProgress>
{
    public void Report(TrainingProgress value) => show(value);
}

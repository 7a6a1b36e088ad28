using System.Globalization;
using Spectre.Console;
using StableTune;
using StableTune.Adapters;
using StableTune.Checkpoints;
using StableTune.Diffusion;
using StableTune.Imaging;
using StableTune.Samples.World;
using StableTune.Schedules;
using TorchSharp;

// The embedded model draws circles, squares, triangles and stars. It has never seen a heart: a LoRA teaches it from eight pictures, and a
// contact sheet shows what it draws before and after.
//   quickstart.sh [--steps N] [--prompts N] [--out FOLDER]      600 steps, 24 prompts of each kind; out/quickstart below the repository
string[] names = ["--steps", "--prompts", "--out"];
if (!Number("--steps", 600, out var steps) || !Number("--prompts", 24, out var count) || args.Length % 2 != 0
    || args.Where((_, i) => i % 2 == 0).Except(names).Any())
{
    Console.Error.WriteLine(
        $"\"{string.Join(' ', args)}\" is not understood. Usage: quickstart.sh [--steps N] [--prompts N] [--out FOLDER]");
    return 2;
}

torch.set_num_threads(1);   // the model is so small that a second thread would mostly wait for the first
var output = Path.GetFullPath(Option("--out") ?? Path.Combine("out", "quickstart"));
var model = Path.Combine(AppContext.BaseDirectory, "model");
try
{
    // 1. Eight pictures of the new thing, with captions.
    var images = Path.Combine(output, "images", "6_heart");   // each six times in an epoch
    Lesson.Write(images, Lesson.Of(Shape.Heart).Take(8));

    // 2. What the model draws before. Some of it is shown to it again in training, so that it does not forget.
    Console.WriteLine("drawing with the model as it is ...");
    var hearts = Lesson.Of(Shape.Heart).Skip(8).Take(count).ToList();   // of other colours than the pictures
    var others = Measurement.Scenes(count);
    var own = Path.Combine(output, "images", "1_own");
    Measurement heartsBefore, othersBefore;
    using (var plain = ModelLoader.Load(model))
    {
        var pipeline = new TextToImagePipeline(plain);
        (heartsBefore, othersBefore) = (Measurement.Of(pipeline, hearts), Measurement.Of(pipeline, others));
        Lesson.Write(own, Measurement.Of(pipeline, Measurement.Scenes(96, seed: 5)));
    }

    // 3. The LoRA.
    var builder = new TrainerBuilder()
        .WithModel(model)
        .WithImages(images, resolution: Scene.Side, captionExtensions: CaptionFiles.Any)
        .WithImages(own, captionExtensions: CaptionFiles.Any)
        .WithBatchSize(8)
        .WithLoRA(lora => lora with { Rank = 16, Alpha = 16, Layers = LayerSelection.SdScriptsWithConvolutions })
        .WithLearningRate(3e-3)
        .WithSchedule(new CosineScheduleOptions { Warmup = Warmup.Steps(10) })
        .For(TrainingLength.Steps(steps))
        .WithEma(average => average with { Decay = 0.99 })   // so that less depends on chance
        .WithLog(Path.Combine(output, "log.jsonl"))
        .WithLossCurve(Path.Combine(output, "loss.png"))
        .SaveTo(Path.Combine(output, "heart.safetensors"))
        .KeepModel()
        .Overwrite();
    using var result = TrainWithDisplay(builder.Build());
    var (first, last) = (result.Losses.Take(20).Average(), result.Losses.TakeLast(20).Average());
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"Trained {result.Steps} steps in {result.TrainingTime.TotalSeconds:F1} s: loss {first:F4} at first, {last:F4} at last."));

    // 4. What it draws now.
    Console.WriteLine("drawing with the LoRA ...");
    var taught = new TextToImagePipeline(result.Model!);
    var (heartsAfter, othersAfter) = (Measurement.Of(taught, hearts), Measurement.Of(taught, others));
    var sheet = Path.Combine(output, "sheet.png");
    ImageFile.SavePng(sheet, Sheets.BeforeAfter("eight pictures of hearts later",
        [("asked for hearts", heartsBefore, heartsAfter), ("asked for what it knew", othersBefore, othersAfter)]));
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"""
        prompts for hearts:         {heartsBefore.Right,4:P0} right before, {heartsAfter.Right,4:P0} after   (of {count})
        prompts for what it knew:   {othersBefore.Right,4:P0} right before, {othersAfter.Right,4:P0} after   (of {count})
        pictures      {images}
        adapter       {result.Files[0]}
        loss curve    {Path.Combine(output, "loss.png")}
        contact sheet {sheet}
        """));
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

bool Number(string name, int otherwise, out int value) =>
    int.TryParse(Option(name) ?? otherwise.ToString(CultureInfo.InvariantCulture), NumberStyles.None, CultureInfo.InvariantCulture,
        out value) && value > 0;

/// <summary>Reports at once, on the thread that trains: <see cref="Progress{T}"/> may deliver reports out of order.</summary>
internal sealed class OnThisThread(Action<TrainingProgress> show) : IProgress<TrainingProgress>
{
    public void Report(TrainingProgress value) => show(value);
}

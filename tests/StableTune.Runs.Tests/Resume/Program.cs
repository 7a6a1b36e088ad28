using StableTune.Adapters;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Trainables;
using StableTune.Training;

namespace StableTune.Tests.Resume;

/// <summary>What this assembly does when a test starts it as a program: it trains, and is killed.</summary>
internal static class Program
{
    /// <summary>The runs that are killed.</summary>
    internal static string[] Kinds { get; } = ["lora", "model", "word"];

    /// <summary>
    /// Runs that save and write a state after each step, and go on from the newest: an adapter with all that goes on beside it (dropouts,
    /// images encoded with a fresh draw in each step, accumulation, samples, logs), a whole model with its average and 8-bit AdamW, and a
    /// new word. The first and the last save while they train on.
    /// </summary>
    /// <param name="kind">One of <see cref="Kinds"/>.</param>
    /// <param name="model">The model's folder.</param>
    /// <param name="images">The images' folder.</param>
    /// <param name="output">Where everything goes.</param>
    /// <param name="steps">Its length.</param>
    internal static TrainerBuilder Run(string kind, string model, string images, string output, int steps)
    {
        var run = new TrainerBuilder().WithModel(model).WithImages(images, resolution: 64).WithBatchSize(1).WithLearningRate(1e-3)
            .For(TrainingLength.Steps(steps)).SaveEvery(steps: 1).WithSaving(save => save with { KeepLastSteps = 2 })
            .SaveState(Path.Combine(output, "frog"), keepLast: 2).Overwrite().ResumeFromLatest(output)
            .WithLog(Path.Combine(output, "log.jsonl")).SaveTo(Path.Combine(output, "frog.safetensors"));
        return kind switch
        {
            "model" => run.WithFullTraining(ModelParts.UNet).WithOptimizer(new AdamW8bitOptions()).WithEma(),
            "word" => run.WithTextualInversion("sksfrog", initWord: "frog", template: PromptTemplate.Object).SaveInBackground(),
            _ => run.WithCachedLatents(false)
                .WithLoRA(options => options with { Rank = 2, Dropout = 0.1, ModuleDropout = 0.1 })
                .WithGradientAccumulation(2)
                .WithWarmup(Warmup.Steps(3))
                .WithLossCurve(Path.Combine(output, "loss.png"))
                .WithSamples(new SampleOptions
                {
                    Folder = Path.Combine(output, "samples"), EveryNSteps = 5,
                    Prompts = [new TextToImageOptions { Prompt = "a frog", Width = 64, Height = 64, Steps = 2 }],
                })
                .SaveInBackground(),
        };
    }

    private static int Main(string[] arguments)
    {
        if (arguments is ["share", ..]) return Several.SharingProgram.Run(arguments[1..]);
        if (arguments is not ["train", var kind, var model, var images, var output, var steps]) return 2;
        Run(kind, model, images, output, int.Parse(steps, System.Globalization.CultureInfo.InvariantCulture)).Train(new Lines());
        return 0;
    }

    /// <summary>A line for every step, so that the test knows when to kill.</summary>
    private sealed class Lines : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            Console.WriteLine(value);
            Console.Out.Flush();
        }
    }
}

using StableTune.Adapters;
using StableTune.Training;

namespace StableTune.Tests.Resume;

/// <summary>What this assembly does when a test starts it as a program: it trains, and is killed.</summary>
internal static class Program
{
    /// <summary>The whole run: both parts, dropouts, images encoded with a fresh draw in each step, accumulation, samples, logs,
    /// checkpoints.</summary>
    /// <param name="model">The model's folder.</param>
    /// <param name="images">The images' folder.</param>
    /// <param name="output">Where everything goes.</param>
    /// <param name="steps">Its length.</param>
    internal static TrainerBuilder Run(string model, string images, string output, int steps = 14) => new TrainerBuilder()
        .WithModel(model)
        .WithImages(images, resolution: 64)
        .WithBatchSize(1)
        .WithCachedLatents(false)
        .WithLoRA(options => options with { Rank = 2, Dropout = 0.1, ModuleDropout = 0.1 })
        .WithGradientAccumulation(2)
        .WithLearningRate(1e-3)
        .WithWarmup(Warmup.Steps(3))
        .WithLog(Path.Combine(output, "log.jsonl"))
        .WithLossCurve(Path.Combine(output, "loss.png"))
        .WithSamples(new SampleOptions
        {
            Folder = Path.Combine(output, "samples"), EveryNSteps = 5,
            Prompts = [new TextToImageOptions { Prompt = "a frog", Width = 64, Height = 64, Steps = 2 }],
        })
        .For(TrainingLength.Steps(steps))
        .SaveEvery(steps: 1)
        .SaveTo(Path.Combine(output, "frog.safetensors"))
        .SaveState(Path.Combine(output, "frog"), keepLast: 2)
        .Overwrite()
        .ResumeFromLatest(output);

    private static int Main(string[] arguments)
    {
        if (arguments is ["share", ..]) return Several.SharingProgram.Run(arguments[1..]);
        if (arguments is not ["train", var model, var images, var output]) return 2;
        Run(model, images, output).Train(new Lines());
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

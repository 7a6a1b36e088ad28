using System.Globalization;
using StableTune.Training;

namespace StableTune.Tests.Several;

/// <summary>What this assembly does when a test starts it as one of several processes.</summary>
internal static class SharingProgram
{
    /// <summary>The run of each process: a batch of one image each, states after every step.</summary>
    internal static TrainerBuilder Builder(string model, string images, string output, int steps, int batch) => new TrainerBuilder()
        .WithModel(model)
        .WithImages(images, resolution: 64)
        .WithBatchSize(batch)
        .WithLoRA(rank: 2)
        .WithLearningRate(1e-3)
        .For(TrainingLength.Steps(steps))
        .SaveEvery(steps: 1)
        .SaveTo(Path.Combine(output, "frog.safetensors"))
        .SaveState(Path.Combine(output, "frog"), keepLast: 2)
        .Overwrite()
        .On("cpu");

    /// <summary>Trains as one of the processes of the environment; 3 where another one ended.</summary>
    internal static int Run(string[] arguments)
    {
        if (arguments is not [var model, var images, var output, var steps]) return 2;
        try
        {
            var result = Builder(model, images, output, int.Parse(steps, CultureInfo.InvariantCulture), batch: 1).WithProcesses()
                .WithDistributed(distributed => distributed with { Timeout = TimeSpan.FromMinutes(2) }).Train(new Lines());
            Console.WriteLine($"files {result.Files.Count}, sent {result.BytesSent}");
            return 0;
        }
        catch (ProcessGroupException fault)
        {
            Console.Error.WriteLine(fault.Message);
            return 3;
        }
    }

    private sealed class Lines : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            if (value.Phase != TrainingPhase.Training) return;
            Console.WriteLine(FormattableString.Invariant($"training {value.Step} {value.Loss:R}"));
            Console.Out.Flush();
        }
    }
}

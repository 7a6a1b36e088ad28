using System.Globalization;
using StableTune.Training;

namespace StableTune.FullSize;

/// <summary>Steps of a LoRA (rank 8, UNet, float32, 256x256, latents and texts cached) whose batch is shared: seconds a step and bytes sent
/// by this process in each.</summary>
internal static class DeviceSteps
{
    private const int Steps = 8, Unmeasured = 2;

    /// <summary>Trains on devices, and together with the processes that the environment names.</summary>
    /// <param name="model">The model's folder.</param>
    /// <param name="devices">As <c>On</c> takes them: "cpu", "cpu,cpu".</param>
    /// <param name="batch">Images on each device in a step.</param>
    public static void Run(string model, string devices, int batch)
    {
        var work = Directory.CreateTempSubdirectory("stabletune-devices-").FullName;
        try
        {
            var seconds = new List<double>();
            var before = TimeSpan.Zero;
            var result = new TrainerBuilder().WithModel(model).WithDataset(MethodSteps.Images(work, control: false, features: false))
                .WithBatchSize(batch).WithLoRA(rank: 8, alpha: 8).TrainUNetOnly().WithLearningRate(1e-6).For(TrainingLength.Steps(Steps))
                .SaveTo(Path.Combine(work, "lora.safetensors")).On(devices).WithProcesses()
                .Train(new MethodSteps.Told(progress =>
                {
                    if (progress.Phase != TrainingPhase.Training || progress.Step == 0) return;
                    if (progress.Step > Unmeasured) seconds.Add((progress.Elapsed - before).TotalSeconds);
                    before = progress.Elapsed;
                }, () => { }));
            if (result.Files.Count == 0) return;                             // the first process tells
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{seconds.Order().ElementAt(seconds.Count / 2):F3} s a step, "
                + $"loss {result.AverageLoss:F6}, {result.BytesSent / Steps} bytes sent a step"));
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
    }
}

using System.Diagnostics;

namespace StableTune.FullSize;

/// <summary>Trains a tiny model for many steps and reports live tensors and resident memory: both must stay where they are.</summary>
internal static class Soak
{
    public static void Run(string model, int steps)
    {
        var folder = Directory.CreateTempSubdirectory("stabletune-soak-");
        try
        {
            var images = folder.CreateSubdirectory("1_frog");
            for (var i = 0; i < 4; i++) Imaging.ImageFile.SavePng(
                Path.Combine(images.FullName, $"{i}.png"),
                new Imaging.Canvas(64, 64, Imaging.PixelColor.FromRgb(0x304050 * (i + 1))).Image);
            var watch = new Watch(steps / 10);
            var clock = Stopwatch.StartNew();
            new TrainerBuilder().WithModel(model).WithImages(images.FullName, resolution: 64).WithBatchSize(2).WithLoRA(rank: 4, alpha: 4)
                .For(TrainingLength.Steps(steps)).SaveTo(Path.Combine(folder.FullName, "soak.safetensors")).Train(watch);
            Console.WriteLine($"{steps} steps in {clock.Elapsed.TotalSeconds:F1} s, peak {ProcessFigures.PeakGiB:F2} GiB");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private sealed class Watch(int every) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            if (value.Phase == TrainingPhase.Training && value.Step % every == 0)
                Console.WriteLine(
                    $"step {value.Step}: live tensors {TensorCount.Live}, resident {ProcessFigures.ResidentMiB:F1} MiB, managed "
                        + $"{GC.GetTotalMemory(false) / 1024.0 / 1024:F1} MiB");
        }
    }
}

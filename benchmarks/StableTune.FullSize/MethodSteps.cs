using System.Buffers.Binary;
using System.Diagnostics;
using System.IO.Compression;
using System.Text;
using StableTune.Data;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Training;

namespace StableTune.FullSize;

/// <summary>Three steps of each training method by the public API: float32, batch 1, 256x256, AdamW, clipping 1.0, latents and texts cached
/// where the method allows it.</summary>
internal static class MethodSteps
{
    /// <summary>The methods by their names on the command line.</summary>
    public static readonly Dictionary<string, Func<TrainerBuilder, string, TrainerBuilder>> Methods = new()
    {
        ["lora"] = (builder, _) => builder.WithLoRA(rank: 8, alpha: 8).TrainUNetOnly(),
        ["lora-and-text"] = (builder, _) => builder.WithLoRA(rank: 8, alpha: 8),
        ["full"] = (builder, _) => builder.WithFullTraining(),
        ["full-and-text"] = (builder, _) => builder.WithFullTraining(ModelParts.UNet | ModelParts.TextEncoder),
        ["full-up-blocks"] = (builder, _) => builder.WithFullTraining().TrainUpBlocksOnly(),
        ["full-cross-attention"] = (builder, _) => builder.WithFullTraining(o => o with { Include = [@"\.attn2\."] }),
        ["textual-inversion"] = (builder, _) => builder.WithTextualInversion("slsfrog", initWord: "frog", vectors: 2),
        ["xti"] = (builder, _) => builder.WithExtendedTextualInversion("slsfrog", initWord: "frog"),
        ["controlnet"] = (builder, _) => builder.WithControlNet(),
        ["pfg"] = (builder, _) => builder.WithPfg(),
        ["leco"] = (builder, _) => builder.WithLoRA(rank: 8, alpha: 8).TrainUNetOnly().WithMethod(new LecoOptions
        {
            Pairs = [new LecoPair { Target = "a frog", Positive = "a green frog" }], Resolution = new(256, 256), MaxDenoisingSteps = 10,
        }),
        ["vae-decoder"] = (builder, _) => builder.WithVaeTraining(),
        ["vae"] = (builder, _) => builder.WithVaeTraining(training => training with { TrainEncoder = true }),
    };

    public static void Run(string model, string name)
    {
        var work = Directory.CreateTempSubdirectory("stabletune-methods-").FullName;
        try
        {
            var builder = new TrainerBuilder().WithModel(model).For(TrainingLength.Steps(3)).WithLearningRate(1e-6).KeepModel();
            if (name != "leco") builder.WithDataset(Images(work, control: name == "controlnet", features: name == "pfg"));
            Methods[name](builder, work);
            var clock = Stopwatch.StartNew();
            var last = TimeSpan.Zero;
            using var result = builder.Train(new Told(progress =>
            {
                if (progress.Phase != TrainingPhase.Training || progress.Step == 0) return;
                Console.WriteLine($"step {progress.Step}: {(clock.Elapsed - last).TotalSeconds:F2} s, loss {progress.Loss:F4}");
                last = clock.Elapsed;
            }, () => last = clock.Elapsed));
            Console.WriteLine($"peak {ProcessFigures.PeakGiB:F2} GiB");
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
    }

    internal static DatasetBuilder Images(string work, bool control, bool features)
    {
        var (folder, second, pfg) = (Path.Combine(work, "images"), Path.Combine(work, "control"), Path.Combine(work, "pfg"));
        foreach (var path in new[] { folder, second, pfg }) Directory.CreateDirectory(path);
        var random = new Random(1);
        for (var i = 0; i < 4; i++)
        {
            var pixels = new byte[256 * 256 * 3];
            random.NextBytes(pixels);
            ImageFile.SavePng(Path.Combine(folder, $"{i}.png"), new PixelImage(256, 256, 3, pixels));
            if (control) ImageFile.SavePng(Path.Combine(second, $"{i}.png"), new PixelImage(256, 256, 3, pixels));
            File.WriteAllText(Path.Combine(folder, $"{i}.caption"), "a slsfrog");
            if (features) WriteFeatures(Path.Combine(pfg, $"{i}.npz"), 768, random);
        }

        var items = Enumerable.Range(0, 4).Select(i => new DatasetItem(Path.Combine(folder, $"{i}.png"), "a slsfrog")
        {
            ConditioningPath = control ? Path.Combine(second, $"{i}.png") : null,
            PromptFreePath = features ? Path.Combine(pfg, $"{i}.npz") : null,
        });
        return new DatasetBuilder().AddImages(items).WithResolution(256);
    }

    private static void WriteFeatures(string path, int width, Random random)
    {
        using var archive = ZipFile.Open(path, ZipArchiveMode.Create);
        using var entry = archive.CreateEntry("controll.npy").Open();
        var header = $"{{'descr': '<f4', 'fortran_order': False, 'shape': ({width},), }}".PadRight(117) + "\n";
        entry.Write([0x93, .. Encoding.ASCII.GetBytes("NUMPY"), 1, 0, (byte)header.Length, 0, .. Encoding.ASCII.GetBytes(header)]);
        var number = new byte[4];
        for (var i = 0; i < width; i++)
        {
            BinaryPrimitives.WriteSingleLittleEndian(number, random.NextSingle());
            entry.Write(number);
        }
    }

    internal sealed class Told(Action<TrainingProgress> training, Action other) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            if (value.Phase == TrainingPhase.Training) training(value);
            else other();
        }
    }
}

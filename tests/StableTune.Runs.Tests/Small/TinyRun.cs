using StableTune.Imaging;
using StableTune.Testing;

namespace StableTune.Tests;

/// <summary>The cheapest real run: the UNet of the shallow model, rank 1, two batches of two pictures in an epoch, three steps.</summary>
internal static class TinyRun
{
    public const int BatchesPerEpoch = 2;

    public static TrainerBuilder Builder(TemporaryFolder folder, string name = "tiny") =>
        Bare(folder, name).WithImages(Images(folder), resolution: 64).WithBatchSize(2);

    /// <summary>The same without images, for a data set of a test's own.</summary>
    public static TrainerBuilder Bare(TemporaryFolder folder, string name = "tiny") => new TrainerBuilder()
        .WithModel(SmallRun.Model(folder))
        .WithLoRA(rank: 1)
        .TrainUNetOnly()
        .WithLearningRate(1e-3)
        .For(TrainingLength.Steps(3))
        .SaveTo(Output(folder, name));

    /// <summary>Tensors that were neither disposed nor collected.</summary>
    public static long HeldTensors => TensorCount.Live;

    /// <summary>
    /// Tensors that are held before a test begins: what earlier tests forgot is collected first, so that it does not move the count later.
    /// </summary>
    public static long HeldBefore() => Testing.HeldTensors.Before();

    public static string Output(TemporaryFolder folder, string name = "tiny") => folder.File("out", name + ".safetensors");

    /// <summary>The file of a step, or of an interrupted run.</summary>
    public static string StepOutput(TemporaryFolder folder, int step, string name = "tiny") =>
        folder.File("out", $"{name}-step{step:D8}.safetensors");

    public static string Images(TemporaryFolder folder)
    {
        var images = folder.Folder("1_frog");
        for (var i = 0; i < 2 * BatchesPerEpoch; i++)
        {
            var path = Path.Combine(images, $"{i}.png");
            if (File.Exists(path)) continue;
            var picture = new Canvas(64, 64, PixelColor.FromRgb(0x302010 * (i + 1)));
            picture.FillEllipse(32, 32, 20, 10 + (4 * i), PixelColor.FromRgb(0x40C040));
            ImageFile.SavePng(path, picture.Image);
        }

        return images;
    }

    /// <summary>Every number of an adapter's file, in the file's order.</summary>
    public static float[] Weights(string path)
    {
        using var file = Formats.SafetensorsFile.Open(path);
        return [.. file.Tensors.SelectMany(t =>
            System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(file.Span(t.Name)).ToArray())];
    }

    public static IReadOnlyDictionary<string, string> Metadata(string path)
    {
        using var file = Formats.SafetensorsFile.Open(path);
        return file.Metadata.ToDictionary(StringComparer.Ordinal);
    }

    /// <summary>The names of the files in the output folder, sorted; temporary files would be among them.</summary>
    public static string[] Written(TemporaryFolder folder) =>
        Directory.Exists(folder.File("out"))
            ? [.. Directory.GetFiles(folder.File("out")).Select(p => Path.GetFileName(p)!).Order(StringComparer.Ordinal)] : [];
}

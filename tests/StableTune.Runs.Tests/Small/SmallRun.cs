using StableTune.Testing;

namespace StableTune.Tests;

/// <summary>A run of three steps on eight small pictures with the shallow model.</summary>
internal static class SmallRun
{
    private static readonly Lock s_writing = new();

    public static TrainerBuilder Builder(TemporaryFolder folder, string? output = null) => new TrainerBuilder()
        .WithModel(Model(folder))
        .WithImages(Images(folder), resolution: 64)
        .WithBatchSize(2)
        .WithLoRA(rank: 4, alpha: 4)
        .WithLearningRate(1e-3)
        .For(TrainingLength.Steps(3))
        .SaveTo(output ?? folder.File("out", "small.safetensors"));

    /// <summary>The model; runs that are built side by side find it whole.</summary>
    public static string Model(TemporaryFolder folder) => Once(folder, "shallow-sd15", FixtureModels.ShallowSd15);

    /// <summary>A model of SD 1.x's whole depth, for tests to which that matters.</summary>
    public static string TinySd15(TemporaryFolder folder) => Once(folder, "tiny-sd15", FixtureModels.TinySd15);

    public static string Images(TemporaryFolder folder)
    {
        lock (s_writing) return Written(folder.Folder("20_sls frog"));
    }

    private static string Once(TemporaryFolder folder, string name, Func<TemporaryFolder, string> write)
    {
        lock (s_writing) return Directory.Exists(folder.File(name)) ? folder.File(name) : write(folder);
    }

    private static string Written(string images)
    {
        for (var i = 0; i < 8; i++)
        {
            var path = Path.Combine(images, $"{i}.png");
            if (File.Exists(path)) continue;
            var picture = new Imaging.Canvas(80, 64, Imaging.PixelColor.FromRgb(0x203040 * (i + 1)));
            picture.FillEllipse(40, 32, 20, 16, Imaging.PixelColor.FromRgb(0x40C040));
            Imaging.ImageFile.SavePng(path, picture.Image);
            if (i > 0) File.WriteAllText(Path.ChangeExtension(path, ".caption"), $"sls frog, picture {i}");
        }

        return images;
    }
}

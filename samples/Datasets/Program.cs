using StableTune.Samples;
using System.Globalization;
using StableTune.Data;
using StableTune.Imaging;
using StableTune.Training;
using StableTune;

// A data set from a TOML file and from a source of one's own: what is in it, what is odd about it, what the model will see of it, and a
// short run on it
// with images held out and latents kept in files, which a second run finds.
//   datasets.sh [--steps N] [--out FOLDER]      12 steps; out/datasets below the repository
if (!int.TryParse(Option("--steps") ?? "12", NumberStyles.Integer, CultureInfo.InvariantCulture, out var steps)
    || args.Length % 2 != 0 || args.Where((_, i) => i % 2 == 0).Any(name => name is not ("--steps" or "--out")))
{
    Console.Error.WriteLine($"\"{string.Join(' ', args)}\" is not understood. Usage: datasets.sh [--steps N] [--out FOLDER]");
    return 2;
}

var output = Path.GetFullPath(Option("--out") ?? Path.Combine("out", "datasets"));
var preview = Path.Combine(output, "preview.html");
try
{
    TinyModel.Unpack(Path.Combine(output, "model"));

    // Two data sets of the file, and a third one in code: pictures that are no files, each in about its own shape.
    var heads = new DatasetBuilder()
        .Add(new FrogHeads(Path.Combine(AppContext.BaseDirectory, "images", "5_sls frog")), new SubsetOptions { Repeats = 2 })
        .WithResolution(64)
        .WithBuckets(new AspectBuckets { MinSide = 32, MaxSide = 128, Step = 16 })
        .WithBatchSize(2);
    var dataset = DatasetBuilder.FromToml(Path.Combine(AppContext.BaseDirectory, "data.toml")).AddDataset(heads);

    var trainer = new TrainerBuilder()
        .WithModel(Path.Combine(output, "model"))
        .WithDataset(dataset)
        .WithCache(cache => cache with { LatentsToDisk = true, Directory = Path.Combine(output, "cache") })
        .WithWorkers(2)
        .WithLoRA(rank: 4, alpha: 4)
        .WithLearningRate(1e-3)
        .WithValidation(new ValidationOptions { EveryNSteps = Math.Max(1, steps / 2) })
        .WithObserver(new ValidationLines())
        .For(TrainingLength.Steps(steps))
        .SaveTo(Path.Combine(output, "frog.safetensors"))
        .Overwrite()
        .Build();

    Console.WriteLine(trainer.Dataset.Report());
    var check = trainer.Check();
    Console.WriteLine(check);
    check.ThrowIfErrors();
    trainer.Preview(preview, new PreviewOptions { Title = "Frogs", Overwrite = true });

    var result = trainer.Train(new ConsoleProgress(Console.Out, interactive: false));
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"Trained {result.Steps} steps in {result.TrainingTime.TotalSeconds:F1} s, {result.DataWait.TotalSeconds:F2} s of them waiting "
            + $"for data."));
    foreach (var warning in result.Warnings) Console.WriteLine($"warning       {warning}");
    Console.WriteLine($"preview       {preview}");
    Console.WriteLine($"latents       {Path.Combine(output, "cache")}");
    Console.WriteLine($"adapter       {result.Files[0]}");
    return 0;
}
catch (Exception e) when (e is InvalidOptionsException or InvalidFileException or IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine(e.Message);
    return 2;
}

string? Option(string name) => Array.IndexOf(args, name) is var i and >= 0 && i + 1 < args.Length ? args[i + 1] : null;

/// <summary>A source of one's own: the upper half of each picture of a folder, as pixels in memory. Nothing to derive from, nothing to
/// register.</summary>
internal sealed class FrogHeads(string folder) : IDatasetSource
{
    public IEnumerable<DatasetItem> Items() =>
        from path in Directory.EnumerateFiles(folder, "*.png").Order(StringComparer.Ordinal)
        let picture = ImageFile.Load(path)
        let head = picture.Crop(0, 0, picture.Width, picture.Height / 2)
        select new DatasetItem(HostImage.FromPixels("head of " + Path.GetFileNameWithoutExtension(path), head), "the head of an sls frog");
}

/// <summary>A listener of one's own.</summary>
internal sealed class ValidationLines : ITrainingObserver
{
    public void OnValidation(TrainingValidation validation) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"after step {validation.Step} the loss on held-out images is {validation.Loss:F4}"));
}

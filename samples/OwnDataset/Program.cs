using System.IO.Compression;
using StableTune;
using StableTune.Data;
using StableTune.Samples;

// Trains on pictures in a ZIP archive: the source is a class of this program (ZipSource.cs), nothing is registered and nothing unpacked.
//   bash samples/run.sh OwnDataset [FOLDER]       out/own-dataset
var output = Path.GetFullPath(args.FirstOrDefault() ?? Path.Combine("out", "own-dataset"));
var archive = Path.Combine(output, "frogs.zip");
TinyModel.Unpack(Path.Combine(output, "model"));
File.Delete(archive);
ZipFile.CreateFromDirectory(Path.Combine(AppContext.BaseDirectory, "images", "5_sls frog"), archive);

var trainer = new TrainerBuilder()
    .WithModel(Path.Combine(output, "model"))
    .WithDataset(new DatasetBuilder().Add(new ZipSource(archive), new SubsetOptions { Repeats = 2 })
        .WithResolution(64).WithBatchSize(4))
    .WithLoRA(rank: 4, alpha: 4)
    .WithLearningRate(1e-3)
    .For(TrainingLength.Steps(4))
    .SaveTo(Path.Combine(output, "frog.safetensors"))
    .Overwrite()
    .Build();

Console.WriteLine(trainer.Dataset.Report());
var result = trainer.Train(new ConsoleProgress(Console.Out, interactive: false));
Console.WriteLine($"{result.Steps} steps, {result.Files[0]}");

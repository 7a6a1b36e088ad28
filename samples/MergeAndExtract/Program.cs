using System.Globalization;
using StableTune;
using StableTune.Adapters;
using StableTune.Checkpoints;
using StableTune.Samples;

// Trains a LoRA, merges it into the model, gets it back out of the difference of the two models, and makes it smaller.
//   bash samples/run.sh MergeAndExtract [FOLDER]  out/merge-and-extract
var output = Path.GetFullPath(args.FirstOrDefault() ?? Path.Combine("out", "merge-and-extract"));
string At(string name) => Path.Combine(output, name);
Directory.CreateDirectory(output);
foreach (var old in new[] { "extracted.safetensors", "small.safetensors", "both.safetensors" }) File.Delete(At(old));
if (Directory.Exists(At("merged"))) Directory.Delete(At("merged"), recursive: true);
TinyModel.Unpack(At("model"));

new TrainerBuilder()
    .WithModel(At("model"))
    .WithImages(Path.Combine(AppContext.BaseDirectory, "images", "5_sls frog"), resolution: 64)
    .WithBatchSize(4)
    .WithLoRA(rank: 8, alpha: 8)
    .WithLearningRate(5e-3)
    .For(TrainingLength.Steps(6))
    .SaveTo(At("frog.safetensors"))
    .Overwrite()
    .Train();

AdapterIntoModel.Merge(At("model"), [new(At("frog.safetensors"), 1)], At("merged"));
Console.WriteLine($"merged     {At("merged")}");

var extracted = AdapterExtractor.Extract(At("model"), At("merged"), At("extracted.safetensors"),
    new AdapterExtractOptions { Rank = 8, ClampQuantile = null });
Console.WriteLine($"extracted  {extracted.Layers} layers, ranks {extracted.Ranks.Least} to {extracted.Ranks.Most}");

var small = AdapterResizer.Resize(At("frog.safetensors"), At("small.safetensors"), new AdapterResizeOptions
{
    Rank = 4, Method = new FrobeniusShare(0.95),
});
Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
    $"resized    ranks {small.Saved.Ranks.Least} to {small.Saved.Ranks.Most}, {small.MeanFrobeniusRetained:P1} of the norm is left"));

var both = AdapterMerger.Merge([new(At("frog.safetensors"), 0.5), new(At("extracted.safetensors"), 0.5)], At("both.safetensors"));
Console.WriteLine($"both       {both.Layers} layers, ranks {both.Ranks.Least} to {both.Ranks.Most}");

using StableTune.Adapters;
using StableTune.Data;
using StableTune.Formats;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Testing;
using StableTune.Trainables;
using StableTune.Training;

namespace StableTune.Tests;

/// <summary>Everything that can be trained, each as a short run; what all runs must be able to do is tried with each of them.</summary>
internal static class TrainedKinds
{
    private static readonly Dictionary<string, Kind> s_all = new()
    {
        ["LoRA"] = new(".safetensors", (run, _) => run.WithLoRA(rank: 2)),
        ["LoRA, torch"] = new(".pt", (run, _) => run.WithLoRA(rank: 2)),
        ["DyLoRA"] = new(".safetensors", (run, _) => run.WithAdapter(new DyLoRAOptions { Rank = 4, Unit = 2 })),
        ["LLLite"] = new(".safetensors", (run, folder) => Controlled(run, folder).WithAdapter(
            new LLLiteOptions { ConditionDim = 8, Dim = 4 })),
        ["word"] = new(".safetensors", (run, _) => run.WithTextualInversion("sksfrog", "frog", template: PromptTemplate.Object)),
        ["word, torch"] = new(".bin", (run, _) => run.WithTextualInversion("sksfrog", "frog", template: PromptTemplate.Object)),
        ["two words"] = new("-{name}.safetensors", (run, _) => run
            .WithTextualInversion(new TextualInversionOptions { Token = "sksfrog", Name = "one", Template = PromptTemplate.Object })
            .WithLoRA(rank: 1)),
        ["model, a folder"] = new("", (run, _) => run.WithFullTraining(ModelParts.UNet | ModelParts.TextEncoder)),
        ["model, a file"] = new(".safetensors", (run, _) => run.WithFullTraining(ModelParts.UNet)),
        ["VAE"] = new(".safetensors", (run, _) => run.WithVaeTraining(training => training with { TrainEncoder = true })),
        ["ControlNet"] = new(".safetensors", (run, folder) => Controlled(run, folder).WithControlNet()),
        ["ControlNet, a folder"] = new("", (run, folder) => Controlled(run, folder).WithControlNet()),
        ["hypernetwork"] = new(".pt", (run, _) => run.WithHypernetwork()),
        ["PFG"] = new(".safetensors", (run, folder) => run.WithDataset(Images(folder, new SubsetOptions
        {
            PromptFreeFolder = Features(folder),
        })).WithPfg(options => options with { InputSize = 24, Tokens = 3 })),
        ["slider"] = new(".safetensors", (run, _) => run.WithMethod(new LecoOptions
        {
            Pairs = [new LecoPair { Target = "a frog", Negative = "a red square" }], Resolution = new PixelSize(64, 64),
            MaxDenoisingSteps = 3,
        }).WithLoRA(rank: 2)),
        ["average"] = new(".safetensors", (run, _) => run.WithLoRA(rank: 2).WithEma(options => options with { SaveBoth = true })),
        ["schedule-free"] = new(".safetensors", (run, _) => run.WithLoRA(rank: 2).WithOptimizer(new AdamWScheduleFreeOptions())),
        ["float16"] = new(".safetensors", (run, _) => run.WithLoRA(rank: 2).WithPrecision(PrecisionPolicy.Float16)),
        ["fused"] = new(".safetensors", (run, _) => run.WithLoRA(rank: 2).WithMaxGradientNorm(null).WithFusedBackward()),
    };

    public static IEnumerable<string> Names => s_all.Keys;

    /// <summary>A run of four steps, two an epoch, that trains a kind.</summary>
    /// <param name="kind">Its name here.</param>
    /// <param name="folder">Model and images lie here.</param>
    /// <param name="place">Where results go, with the beginning of their name.</param>
    public static TrainerBuilder Run(string kind, TemporaryFolder folder, string place) => s_all[kind].Trained(new TrainerBuilder()
        .WithModel(SmallRun.Model(folder)).WithDataset(Images(folder, new SubsetOptions())).WithLearningRate(1e-2)
        .For(TrainingLength.Steps(4)), folder).SaveTo(place + s_all[kind].Ending);

    /// <summary>The types of options that the runs train.</summary>
    public static IEnumerable<Type> Types(TemporaryFolder folder) => Names
        .SelectMany(kind => Run(kind, folder, folder.File("types", "a")).Plan.Trainables).Select(options => options.GetType()).Distinct();

    private static DatasetBuilder Images(TemporaryFolder folder, SubsetOptions subset) =>
        new DatasetBuilder().AddFolder(TinyRun.Images(folder), subset).WithResolution(64).WithBatchSize(2);

    private static TrainerBuilder Controlled(TrainerBuilder run, TemporaryFolder folder) =>
        run.WithDataset(Images(folder, new SubsetOptions { ConditioningFolder = TinyRun.Images(folder) }));

    private static string Features(TemporaryFolder folder)
    {
        var features = folder.Folder("features");
        for (var i = 0; i < 2 * TinyRun.BatchesPerEpoch; i++)
        {
            float[] values = [.. Enumerable.Range(0, 24).Select(j => MathF.Sin((i + 1) * (j + 1)))];
            NpzWriter.Write(Path.Combine(features, $"{i}.npz"), [NpyArray.Of<float>("controll", values, 24).ToPayload()]);
        }

        return features;
    }

    private sealed record Kind(string Ending, Func<TrainerBuilder, TemporaryFolder, TrainerBuilder> Trained);
}

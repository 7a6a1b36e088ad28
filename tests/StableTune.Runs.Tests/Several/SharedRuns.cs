using StableTune.Adapters;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Testing;
using StableTune.Training;

namespace StableTune.Tests.Several;

/// <summary>Runs that are shared by devices and processes, and how they compare with one device.</summary>
internal static class SharedRuns
{
    /// <summary>Losses and weights of two orders of adding up the same numbers in float32; measured: losses differ by 1e-7, weights by
    /// 1e-7 of the largest.</summary>
    private const double Tolerance = 3e-6;

    /// <summary>Eight pictures, with plain steps: Adam divides by gradients, and makes much of what is rounding.</summary>
    public static TrainerBuilder Builder(TemporaryFolder folder, string kind, string name, int batch) =>
        Changed(SmallRun.Builder(folder, folder.File("out", name + ".safetensors")).WithBatchSize(batch)
            .WithOptimizer(new SGDOptions { Momentum = 0.9 }).WithLearningRate(0.05).For(TrainingLength.Steps(3)), kind);

    public static void AssertClose(TrainingResult expected, TrainingResult actual)
    {
        Assert.Equal(expected.Losses.Count, actual.Losses.Count);
        for (var i = 0; i < expected.Losses.Count; i++)
            Assert.True(Math.Abs(expected.Losses[i] - actual.Losses[i]) <= Tolerance * Math.Abs(expected.Losses[i]),
                $"loss {i}: {expected.Losses[i]:R} and {actual.Losses[i]:R}");
        AssertClose(expected.Files[0], actual.Files[0]);
    }

    public static void AssertClose(string expected, string actual)
    {
        var (one, other) = (TinyRun.Weights(expected), TinyRun.Weights(actual));
        Assert.Equal(one.Length, other.Length);
        var largest = one.Max(Math.Abs);
        var (difference, place) = one.Zip(other, (a, b) => Math.Abs(a - b)).Select((d, i) => (d, i)).Max();
        Assert.True(difference <= Tolerance * largest, $"weight {place}: {one[place]:R} and {other[place]:R}, the largest is {largest}");
    }

    private static TrainerBuilder Changed(TrainerBuilder builder, string kind) => kind switch
    {
        "cached" => builder,
        "live" => builder.WithCachedLatents(false).WithGradientAccumulation(2).WithGradientCheckpointing()
            .Change(plan => plan with { Noise = new OffsetNoise { Offset = 0.1, AdaptiveScale = 0.05, RandomStrength = true } })
            .Change(plan => plan with { Trainables = [] })
            .WithLoRA(options => options with { Rank = 4, Dropout = 0.2, RankDropout = 0.2, ModuleDropout = 0.2 }),
        "word" => builder.Change(plan => plan with { Trainables = [] }).WithTextualInversion("zork", "frog",
            template: Trainables.PromptTemplate.Object),
        "whole" => builder.Change(plan => plan with { Trainables = [] }).WithLearningRate(1e-3)
            .WithFullTraining(options => options with { Parts = ModelParts.UNet | ModelParts.TextEncoder }),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, null),
    };
}

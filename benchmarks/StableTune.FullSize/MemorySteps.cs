using System.Globalization;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Torch;

namespace StableTune.FullSize;

/// <summary>What a run was estimated to need of memory, against its measured peak: three steps by the public API, one
/// process each.</summary>
internal static class MemorySteps
{
    /// <summary>Trains and tells.</summary>
    /// <param name="model">A model's folder, or "quarter" for a new SD 1.x of a quarter of the width.</param>
    /// <param name="kind">lora or full.</param>
    /// <param name="side">Of the pictures, in pixels.</param>
    /// <param name="options">Any of: bfloat16, checkpointing, 8bit, fp8, int8, nf4, chunked, tome, tiling, fused, ema, cached,
    /// batch2.</param>
    public static void Run(string model, string kind, int side, IReadOnlyList<string> options)
    {
        var work = Directory.CreateTempSubdirectory("stabletune-memory-").FullName;
        using var given = model == "quarter" ? Quarter() : null;
        try
        {
            var builder = new TrainerBuilder().WithImages(NoiseImages.Write(work, side), side)
                .For(TrainingLength.Steps(3)).WithLearningRate(1e-6)
                .On("cpu");
            if (given is null) builder.WithModel(model);
            else builder.WithModel(given);
            if (kind == "full") builder.WithFullTraining().KeepModel();
            else builder.WithLoRA(rank: 8, alpha: 8).TrainUNetOnly().SaveTo(Path.Combine(work, "lora.safetensors"));
            foreach (var option in options) Options[option](builder);
            var trainer = builder.Build();
            var estimate = trainer.EstimateMemory();
            Console.WriteLine(estimate);
            using var result = trainer.Train();
            var peak = result.PeakMemoryBytes!.Value;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"measured {peak / 1e9:F2} GB, estimated {estimate.Peak / 1e9:F2} GB: {((double)estimate.Peak / peak) - 1:P1}"));
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
    }

    private static readonly Dictionary<string, Action<TrainerBuilder>> Options = new()
    {
        ["bfloat16"] = builder => builder.WithPrecision(PrecisionPolicy.BFloat16),
        ["checkpointing"] = builder => builder.WithGradientCheckpointing(),
        ["8bit"] = builder => builder.WithOptimizer(new AdamW8bitOptions()),
        ["fp8"] = builder => builder.WithQuantizedWeights(WeightQuantization.Float8),
        ["int8"] = builder => builder.WithQuantizedWeights(WeightQuantization.Int8),
        ["nf4"] = builder => builder.WithQuantizedWeights(WeightQuantization.NormalFloat4),
        ["chunked"] = builder => builder.WithAttention(AttentionBackend.Chunked),
        ["tome"] = builder => builder.WithTokenMerging(),
        ["fused"] = builder => builder.WithMaxGradientNorm(null).WithFusedBackward(),
        ["ema"] = builder => builder.WithEma(),
        ["cached"] = builder => builder.WithCachedLatents(true).WithCachedTextEncoderOutputs(true),
        ["tiling"] = builder => builder.WithVaeTiling(),
        ["batch2"] = builder => builder.WithBatchSize(2),
        ["batch4"] = builder => builder.WithBatchSize(4),
    };

    private static StableDiffusionModel Quarter() => ModelFactory.Create(new NewModelOptions
    {
        UNet = UNetOptions.Sd15 with { BlockOutChannels = [80, 160, 320, 320], NormNumGroups = 16 },
        Vae = VaeOptions.Sd15 with { BlockOutChannels = [32, 64, 128, 128] },
    });
}

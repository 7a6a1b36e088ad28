using StableTune.Checkpoints;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Testing;

namespace StableTune.Tests;

/// <summary>What a run is said to need of memory before it starts.</summary>
public sealed class MemoryEstimateTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Estimate_OfAnAdapter_CountsItsWeightsAndTheModelsExactly()
    {
        var trainer = Run().Build();
        var estimate = trainer.EstimateMemory();
        using var model = ModelLoader.Load(SmallRun.Model(_folder));
        var trained = trainer.Layers().Sum(layer => layer.Parameters) * sizeof(float);
        Assert.Equal((trained, trained, 2 * trained), (estimate.TrainedWeights, estimate.Gradients, estimate.OptimizerState));
        // Latents and captions are encoded before the first step, and what encodes them is then freed.
        Assert.Equal(ModuleMemory.Bytes(model.UNet), estimate.FrozenWeights);
        Assert.Equal(estimate.Process + estimate.FrozenWeights + (4 * trained) + estimate.Activations + estimate.Kept, estimate.StepPeak);
        Assert.Empty(estimate.Notes);
        Assert.True(estimate.Fits);
        Assert.Contains("peak of a step", estimate.ToString(), StringComparison.Ordinal);
    }

    /// <summary>Where products run in float32, freed memory that is kept lies idle: as much as activations take, and no more than may be
    /// kept.</summary>
    [Fact]
    public void Estimate_CountsMemoryThatIsKept()
    {
        if (!HostMemory.IsSupported) return;
        var usual = Run().EstimateMemory();
        Assert.InRange(usual.Kept, 1, usual.Activations);
        Assert.Equal(1000, Run().Change(plan => plan with { KeptMemoryBytes = 1000 }).EstimateMemory().Kept);
        Assert.Equal(0, Run().Change(plan => plan with { KeptMemoryBytes = 0 }).EstimateMemory().Kept);
        Assert.Contains("kept, lying idle", usual.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("fp8")]
    [InlineData("int8")]
    [InlineData("nf4")]
    public void Estimate_OfQuantizedWeights_IsWhatTheyTake(string name)
    {
        var quantization = WeightQuantization.Catalog.Create(name);
        using var model = ModelLoader.Load(SmallRun.Model(_folder));
        var bytes = ModuleMemory.Bytes(model.UNet.Quantize(quantization));
        // The tiny model's rows are short, so that its scales weigh more than in a real one.
        Assert.InRange(Run().WithQuantizedWeights(quantization).EstimateMemory().FrozenWeights, bytes * 0.9, bytes * 1.05);
    }

    [Fact]
    public void Estimate_OfAWholeModel_CountsWhatIsTrainedOnce()
    {
        using var model = ModelLoader.Load(SmallRun.Model(_folder));
        var weights = ModuleMemory.Bytes(model.UNet);
        var whole = new TrainerBuilder().WithModel(SmallRun.Model(_folder)).WithImages(TinyRun.Images(_folder), resolution: 64)
            .WithFullTraining().SaveTo(_folder.File("out", "whole.safetensors"));
        var estimate = whole.EstimateMemory();
        Assert.Equal((weights, weights, 2 * weights), (estimate.TrainedWeights, estimate.Gradients, estimate.OptimizerState));
        Assert.Contains("WithOptimizer(new AdamW8bitOptions())", estimate.Advice);
        // Small tensors are remembered in float32, and the tiny model has many.
        Assert.InRange(whole.WithOptimizer(new AdamW8bitOptions()).EstimateMemory().OptimizerState, weights / 2, weights);
    }

    [Fact]
    public void Activations_GrowWithSamples_AndShrinkWithCheckpoints()
    {
        var (plain, checkpointed) = (Run().EstimateMemory(), Run().WithGradientCheckpointing().EstimateMemory());
        Assert.InRange(checkpointed.Activations, 1, plain.Activations - 1);
        Assert.InRange(Run().WithBatchSize(4).EstimateMemory().Activations, plain.Activations + 1, long.MaxValue);
        Assert.Contains("WithGradientCheckpointing()", plain.Advice);
        Assert.DoesNotContain("WithGradientCheckpointing()", checkpointed.Advice);
    }

    [Fact]
    public void ARunThatDoesNotFit_IsToldSo()
    {
        var estimate = Run().EstimateMemory() with { Free = 1000 };
        Assert.False(estimate.Fits);
        Assert.Contains("To need less: WithGradientCheckpointing()", estimate.ToString(), StringComparison.Ordinal);
        Assert.Null((estimate with { Free = null }).Fits);
    }

    [Fact]
    public void Train_TellsItsPeak()
    {
        var before = DeviceMemory.PeakOfProcess;
        var result = Run().For(TrainingLength.Steps(1)).Train();
        Assert.InRange(result.PeakMemoryBytes!.Value, before, long.MaxValue);
    }

    private TrainerBuilder Run() => TinyRun.Builder(_folder).On("cpu");
}

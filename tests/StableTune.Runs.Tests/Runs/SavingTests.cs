using StableTune.Schedules;
using StableTune.Testing;

namespace StableTune.Tests;

/// <summary>What is saved during a run, under which names, and what the files say about themselves.</summary>
public sealed class SavingTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void SaveEvery_Steps_NumbersTheFiles_EachWithItsStepAndEpoch()
    {
        var result = Tiny().For(TrainingLength.Steps(5)).SaveEvery(steps: 2).Train();
        Assert.Equal(["tiny-step00000002.safetensors", "tiny-step00000004.safetensors", "tiny.safetensors"], TinyRun.Written(_folder));
        Assert.Equal([TinyRun.Output(_folder)], result.Files);
        Assert.Equal(("2", "1", "5"), Told(TinyRun.StepOutput(_folder, 2)));
        Assert.Equal(("4", "2", "5"), Told(TinyRun.StepOutput(_folder, 4)));
        Assert.Equal(("5", "3", "5"), Told(TinyRun.Output(_folder)));
        Assert.NotEqual(TinyRun.Weights(TinyRun.StepOutput(_folder, 2)), TinyRun.Weights(TinyRun.StepOutput(_folder, 4)));
    }

    [Fact]
    public void SaveEvery_Epochs_NumbersTheFiles_AndSavesTheLastEpochOnce()
    {
        var recorder = new Recorder();
        Tiny().For(TrainingLength.Epochs(3)).SaveEvery(epochs: 1).WithObserver(recorder).Train();
        Assert.Equal(["tiny-000001.safetensors", "tiny-000002.safetensors", "tiny.safetensors"], TinyRun.Written(_folder));
        Assert.Equal(("2", "1", "6"), Told(_folder.File("out", "tiny-000001.safetensors")));
        Assert.Equal(("4", "2", "6"), Told(_folder.File("out", "tiny-000002.safetensors")));
        Assert.Equal(("6", "3", "6"), Told(TinyRun.Output(_folder)));
        Assert.Equal(
            ["start", "step 1", "step 2", "epoch 1", "save Epoch 2", "step 3", "step 4", "epoch 2", "save Epoch 4", "step 5", "step 6",
                "epoch 3", "save End 6", "end 6"],
            recorder.Events);
    }

    [Fact]
    public void SaveEvery_SecondEpoch_OfARunCutShort_SavesWholeEpochsAndTheEnd()
    {
        Tiny().For(TrainingLength.Steps(5)).SaveEvery(epochs: 2).Train();
        Assert.Equal(["tiny-000002.safetensors", "tiny.safetensors"], TinyRun.Written(_folder));
        Assert.Equal("3", TinyRun.Metadata(TinyRun.Output(_folder))["ss_num_epochs"]);
    }

    [Fact]
    public void SaveTo_TwoFilesAndAType_WritesBoth()
    {
        var result = Tiny().SaveTo(_folder.File("out", "half.safetensors"), NumberFormat.Float16).Train();
        Assert.Equal([TinyRun.Output(_folder), _folder.File("out", "half.safetensors")], result.Files);
        using var half = Formats.SafetensorsFile.Open(result.Files[1]);
        Assert.All(half.Tensors, t => Assert.Equal(Formats.TensorDType.F16, t.DType));
        Assert.Equal("half", half.Metadata["ss_output_name"]);
    }

    [Fact]
    public void WriteMetadata_Off_WritesOnlyWhatReadersNeed()
    {
        var plan = Tiny().Plan;
        new Trainer(plan with { Savers = [new TrainableSaver(TinyRun.Output(_folder)) { WriteMetadata = false }] }).Train();
        var metadata = TinyRun.Metadata(TinyRun.Output(_folder));
        Assert.Equal("networks.lora", metadata["ss_network_module"]);
        Assert.Equal("1", metadata["ss_network_dim"]);
        Assert.DoesNotContain("ss_steps", metadata.Keys);
        Assert.DoesNotContain("ss_tag_frequency", metadata.Keys);
    }

    [Fact]
    public void Metadata_TellsTheRunsClockSeedAndRates()
    {
        var clock = new ManualClock();
        Tiny().WithClock(clock).WithSeed(7).WithWarmup(Warmup.Steps(2)).WithLearningRate(1e-3, unet: 2e-3)
            .Train(new Reports(_ => clock.Advance(TimeSpan.FromSeconds(1))));
        var metadata = TinyRun.Metadata(TinyRun.Output(_folder));
        var started = double.Parse(metadata["ss_training_started_at"], System.Globalization.CultureInfo.InvariantCulture);
        var finished = double.Parse(metadata["ss_training_finished_at"], System.Globalization.CultureInfo.InvariantCulture);
        Assert.InRange(started, clock.Start.ToUnixTimeSeconds(), clock.GetUtcNow().ToUnixTimeSeconds());
        Assert.True(finished > started);
        Assert.Equal("7", metadata["ss_seed"]);
        Assert.Equal("2", metadata["ss_lr_warmup_steps"]);
        Assert.Equal("constant_with_warmup", metadata["ss_lr_scheduler"]);
        Assert.Equal("0.002", metadata["ss_unet_lr"]);
        Assert.StartsWith("2026-03-04T05:0", metadata["modelspec.date"], StringComparison.Ordinal);
    }

    private (string Steps, string Epoch, string Max) Told(string path)
    {
        var metadata = TinyRun.Metadata(path);
        return (metadata["ss_steps"], metadata["ss_epoch"], metadata["ss_max_train_steps"]);
    }

    private TrainerBuilder Tiny() => TinyRun.Builder(_folder);
}

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
    public void KeepLast_RemovesOlderFiles_OnceTheNewOneIsThere()
    {
        Tiny().For(TrainingLength.Epochs(4)).WithSaving(save => save with { EveryNEpochs = 1, KeepLastEpochs = 2 }).Train();
        Assert.Equal(["tiny-000002.safetensors", "tiny-000003.safetensors", "tiny.safetensors"], TinyRun.Written(_folder));
        Tiny().Overwrite().For(TrainingLength.Steps(7))
            .WithSaving(save => save with { EveryNSteps = 1, EveryNEpochs = null, KeepLastEpochs = null, KeepLastSteps = 2 }).Train();
        Assert.Equal(["tiny-step00000005.safetensors", "tiny-step00000006.safetensors", "tiny-step00000007.safetensors"],
            TinyRun.Written(_folder).Where(name => name.Contains("step", StringComparison.Ordinal)));
    }

    [Fact]
    public void EpochRatio_SavesAboutSoOften()
    {
        Tiny().For(TrainingLength.Epochs(5)).WithSaving(save => save with { EpochRatio = 2 }).Train();
        Assert.Equal(["tiny-000002.safetensors", "tiny-000004.safetensors", "tiny.safetensors"], TinyRun.Written(_folder));
    }

    [Fact]
    public void OneFile_IsReplacedAtEachSave()
    {
        var recorder = new Recorder();
        Tiny().For(TrainingLength.Steps(4)).WithSaving(save => save with { EveryNSteps = 1, Naming = OutputNaming.OneFile })
            .WithObserver(recorder).Train();
        Assert.Equal(["tiny.safetensors"], TinyRun.Written(_folder));
        Assert.Equal(5, recorder.Events.Count(told => told.StartsWith("save", StringComparison.Ordinal)));
        Assert.Equal(("4", "2", "4"), Told(TinyRun.Output(_folder)));
    }

    [Fact]
    public void Checkpoints_OfAWholeModel_LieInItsFolder_AndStayAtTheEnd()
    {
        var output = _folder.File("model");
        var result = Tiny().WithFullTraining().Change(plan => plan with { Trainables = [plan.Trainables[^1]], Savers = [] }).SaveTo(output)
            .WithSaving(save => save with { EveryNSteps = 2, Naming = OutputNaming.Checkpoints }).Train();
        Assert.True(File.Exists(Path.Combine(output, "checkpoint-2", "unet", "config.json")));
        Assert.True(File.Exists(Path.Combine(output, "unet", "config.json")));
        Assert.Contains(output, result.Files[0], StringComparison.Ordinal);
    }

    /// <summary>Logs and samples lie in the folder of the result before it is written, and a second run may replace it.</summary>
    [Fact]
    public void WholeModel_IntoTheFolderOfItsLogs_IsWrittenAmongThem_AndAgain()
    {
        var output = _folder.File("model");
        TrainerBuilder Run() => Tiny().WithFullTraining().Change(plan => plan with { Trainables = [plan.Trainables[^1]], Savers = [] })
            .For(TrainingLength.Steps(1)).SaveTo(output).WithLog(Path.Combine(output, "run.jsonl")).WithSamples(
                Path.Combine(output, "samples"), new TextToImageOptions { Width = 64, Height = 64, Steps = 1 });
        Run().Train();
        Assert.True(File.Exists(Path.Combine(output, "unet", "config.json")));
        Assert.True(File.Exists(Path.Combine(output, "run.jsonl")));
        Assert.Contains("it exists", Assert.Throws<InvalidOptionsException>(() => Run().Build()).Message, StringComparison.Ordinal);
        Run().Overwrite().Train();
        Assert.True(File.Exists(Path.Combine(output, "unet", "config.json")));
    }

    /// <summary>States are numbered beside each other whatever results are called, so that the newest is found.</summary>
    [Theory]
    [InlineData("checkpoints")]
    [InlineData("one-file")]
    public void States_OfOtherNamings_AreFoundAgain(string naming)
    {
        TrainerBuilder Run(int steps) => Tiny().Overwrite().For(TrainingLength.Steps(steps)).SaveState(_folder.File("out", "tiny"))
            .WithSaving(save => save with
            {
                EveryNSteps = 1, Naming = naming == "checkpoints" ? OutputNaming.Checkpoints : OutputNaming.OneFile,
            });
        Run(2).Train();
        Assert.True(Directory.Exists(_folder.File("out", "tiny-step00000001-state")));
        var recorder = new Recorder();
        Run(4).ResumeFromLatest(_folder.File("out")).WithObserver(recorder).Train();
        Assert.Equal(["step 3", "step 4"], recorder.Events.Where(told => told.StartsWith("step", StringComparison.Ordinal)));
    }

    [Fact]
    public void States_AreKeptForStepsAndEpochsApart()
    {
        Tiny().For(TrainingLength.Epochs(4)).SaveEvery(steps: 1, epochs: 1)
            .SaveTo(new StateSaver(_folder.File("states", "tiny")) { KeepLastEpochs = 1, KeepLastSteps = 2 }).Train();
        Assert.Equal(["tiny-000003-state", "tiny-state", "tiny-step00000006-state", "tiny-step00000007-state", "tiny-step00000008-state"],
            Directory.GetDirectories(_folder.File("states")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void KeepBest_SavesTheLeastLossOnHeldOutImages()
    {
        var told = new List<double>();
        var saved = new List<int>();
        var recorder = new Recorder
        {
            Before = what => { if (what.StartsWith("save Best", StringComparison.Ordinal)) saved.Add(told.Count); },
        };
        var builder = TinyRun.Bare(_folder).WithDataset(new DatasetBuilder().AddFolder(TinyRun.Images(_folder))
                .WithOptions(new() { Resolution = new(64, 64), ValidationSplit = 0.5, ValidationSeed = 1 }))
            .For(TrainingLength.Steps(6)).WithValidation(new ValidationOptions { EveryNSteps = 1 })
            .WithSaving(save => save with { KeepBest = true }).WithObserver(new Measured(told)).WithObserver(recorder);
        builder.Train();
        Assert.Equal(6, told.Count);
        Assert.Equal(Enumerable.Range(1, 6).Where(i => told[i - 1] < told.Take(i - 1).Append(double.PositiveInfinity).Min()), saved);
        Assert.Contains("tiny-best.safetensors", TinyRun.Written(_folder));
        Assert.Equal(saved[^1].ToString(), TinyRun.Metadata(_folder.File("out", "tiny-best.safetensors"))["ss_steps"]);
    }

    /// <summary>Images and their order are those of the later epoch; steps and epochs are counted from there.</summary>
    [Theory]
    [InlineData(2, null, false, 3, 2)]
    [InlineData(1, 3, true, 4, 2)]
    [InlineData(1, 3, false, 3, 2)]
    public void StartAt_CountsFromThere(int epoch, int? step, bool within, int first, int firstEpoch)
    {
        var recorder = new Recorder();
        var result = Tiny().For(TrainingLength.Epochs(3)).WithObserver(recorder)
            .StartAt(new StartOptions { Epoch = epoch, Step = step, SkipWithinEpoch = within }).Train();
        string[] steps = [.. recorder.Events.Where(told => told.StartsWith("step", StringComparison.Ordinal))];
        Assert.Equal(Enumerable.Range(first, 6 - first + 1).Select(i => $"step {i}"), steps);
        Assert.Equal(Enumerable.Range(firstEpoch, 3 - firstEpoch + 1).Select(i => $"epoch {i}"),
            recorder.Events.Where(told => told.StartsWith("epoch", StringComparison.Ordinal)));
        Assert.Equal((6, steps.Length), (result.Steps, result.Losses.Count));
    }

    [Fact]
    public void StartAt_MovesNoSchedule()
    {
        var rates = new List<double>();
        Tiny().For(TrainingLength.Epochs(3)).WithSchedule(new ConstantWithWarmupScheduleOptions { Warmup = Warmup.Steps(4) })
            .StartAt(new StartOptions { Epoch = 2 }).WithObserver(new Measured([], rates)).Train();
        Assert.Equal([0, 0.25e-3, 0.5e-3, 0.75e-3], rates);
    }

    [Theory]
    [InlineData(0, null, "epochs are counted from 1")]
    [InlineData(9, null, "nothing is left to train")]
    [InlineData(1, -1, "must not be negative")]
    public void StartAt_WhereNothingIs_IsRefused(int epoch, int? step, string told) => Assert.Contains(told,
        Assert.Throws<InvalidOptionsException>(() => Tiny().For(TrainingLength.Epochs(3))
            .StartAt(new StartOptions { Epoch = epoch, Step = step }).Build()).Message, StringComparison.Ordinal);

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

    private sealed class Measured(List<double> validations, List<double>? rates = null) : StableTune.Training.ITrainingObserver
    {
        public IEnumerable<OptionProblem> Validate() => [];

        public void OnStep(TrainingProgress progress) => rates?.Add(progress.LearningRates["unet"]);

        public void OnValidation(StableTune.Training.TrainingValidation validation) => validations.Add(validation.Loss);
    }
}

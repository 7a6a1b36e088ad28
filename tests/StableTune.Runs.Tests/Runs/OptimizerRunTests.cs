using StableTune.Optimizers;
using StableTune.Schedules;
using StableTune.Testing;
using StableTune.Training;

namespace StableTune.Tests;

/// <summary>Runs with optimizers that change more than the step.</summary>
public sealed class OptimizerRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Saving on the way swaps the weights, and brings them back.</summary>
    [Fact]
    public void ScheduleFree_SavesTheAverage_AndTrainsOnAsIfNothingHadBeenSaved()
    {
        var options = new AdamWScheduleFreeOptions();
        var plain = Builder("plain", options).Train();
        var saving = Builder("saving", options).SaveEvery(steps: 1).Train();
        Assert.Equal(plain.Losses, saving.Losses);
        Assert.Equal(TinyRun.Weights(plain.Files[0]), TinyRun.Weights(saving.Files[0]));

        // The state has the weights that are trained, the file the average.
        Builder("stated", options).SaveState(_folder.File("states", "frog")).Train();
        var stated = Directory.GetFiles(_folder.File("states", "frog-state", "trainables"), "*.safetensors", SearchOption.AllDirectories);
        Assert.NotEmpty(TinyRun.Weights(plain.Files[0]).Except(TinyRun.Weights(Assert.Single(stated))));
    }

    /// <summary>A host that keeps the model has the weights that were saved.</summary>
    [Fact]
    public void ScheduleFree_LeavesTheAverageInAModelThatIsKept()
    {
        using var kept = Builder("kept", new AdamWScheduleFreeOptions()).KeepModel().Train();
        var saved = TinyRun.Weights(kept.Files[0]);
        var trainable = Assert.Single(kept.Trainables);
        var numbers = trainable.Instance.Groups.SelectMany(group => group.Parameters)
            .SelectMany(parameter => GoldenComparison.Floats(parameter.Value)).ToHashSet();
        // The file has alphas besides.
        Assert.Subset(saved.ToHashSet(), numbers);
    }

    [Fact]
    public void ScheduleFree_WithASchedule_DoesNotFollowIt_AndSaysSo()
    {
        var options = new AdamWScheduleFreeOptions();
        var plain = Builder("plain", options).Train();
        var scheduled = Builder("scheduled", options).WithSchedule(
            new ConstantWithWarmupScheduleOptions { Warmup = Warmup.Steps(4) }).Train();
        Assert.Equal(plain.Losses, scheduled.Losses);
        Assert.Contains(scheduled.Warnings,
            warning => warning.Contains("constant_with_warmup: it is not followed", StringComparison.Ordinal));
    }

    [Fact]
    public void AdaFactor_TellsItsOwnRate_AndItsScheduleInTheMetadata()
    {
        var rates = new List<double>();
        var result = Builder("factor", new AdaFactorOptions()).Train(new Rates(rates));
        Assert.Contains(result.Warnings, warning => warning.Contains("AdaFactorOptions.RelativeStep is True", StringComparison.Ordinal));
        // Far below the rate of 1e-3 that the run was given: weights of an adapter are small, and warmed up.
        Assert.Equal(5, rates.Count);
        Assert.All(rates, rate => Assert.InRange(rate, 1e-10, 1e-5));
        var metadata = TinyRun.Metadata(result.Files[0]);
        Assert.Equal("adafactor:0.001", metadata["ss_lr_scheduler"]);
        Assert.Equal("transformers.optimization.Adafactor(warmup_init=True,relative_step=True)", metadata["ss_optimizer"]);
    }

    [Fact]
    public void StochasticRounding_NeedsWeightsThatAreTrainedInBFloat16()
    {
        var options = new LionOptions { StochasticRounding = true };
        var fault = Assert.Throws<InvalidOptionsException>(() => Builder("float", options).Build());
        Assert.Contains("LionOptions.StochasticRounding", fault.Message, StringComparison.Ordinal);
        Assert.Contains("PrecisionPolicy.FullBFloat16", fault.Message, StringComparison.Ordinal);
        var result = Builder("half", options).WithPrecision(PrecisionPolicy.FullBFloat16).Train();
        Assert.Equal(5, result.Steps);
    }

    [Fact]
    public void TheAdaFactorSchedule_WithAnotherOptimizer_IsRefused()
    {
        var fault = Assert.Throws<InvalidOptionsException>(() =>
            Builder("other", new LionOptions()).WithSchedule(new AdaFactorScheduleOptions()).Build());
        Assert.Contains("TrainingPlan.Schedule", fault.Message, StringComparison.Ordinal);
        Assert.Contains("LionOptions", fault.Message, StringComparison.Ordinal);
    }

    private TrainerBuilder Builder(string name, OptimizerOptions options) =>
        TinyRun.Builder(_folder, name).WithOptimizer(options).For(TrainingLength.Steps(5));

    private sealed class Rates(List<double> rates) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            if (value.Phase == TrainingPhase.Training) rates.Add(value.LearningRates.Values.First());
        }
    }
}

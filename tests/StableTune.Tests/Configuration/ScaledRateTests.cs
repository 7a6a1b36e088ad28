using StableTune.Testing;

namespace StableTune.Tests.Configuration;

/// <summary><c>scale_lr</c>: every rate times batch size times accumulation.</summary>
public sealed class ScaledRateTests
{
    [Fact]
    public void ScaledRate_IsTheRateTimesTheImagesOfAStep_AndIsTold()
    {
        using var folder = new TemporaryFolder();
        var rates = Rates(folder, "scaled", 1e-3, scaled: true, out var warnings);
        Assert.All(rates, rate => Assert.Equal(4e-3, rate, 12));             // batch 2, 2 batches a step
        Assert.Contains(warnings, warning => warning.Contains("multiplied by 4", StringComparison.Ordinal));
        Assert.Equal("0.004", TinyRun.Metadata(TinyRun.Output(folder, "scaled"))["ss_learning_rate"]);
        // The same as that rate itself.
        Assert.All(Rates(folder, "plain", 4e-3, scaled: false, out _), rate => Assert.Equal(4e-3, rate, 12));
        Assert.Equal(TinyRun.Weights(TinyRun.Output(folder, "plain")), TinyRun.Weights(TinyRun.Output(folder, "scaled")));
    }

    [Fact]
    public void DataSetsWithOtherBatches_HaveNoOneFactor()
    {
        using var folder = new TemporaryFolder();
        var images = TinyRun.Images(folder);
        var data = new DatasetBuilder().AddFolder(images).WithResolution(64)
            .AddDataset(new DatasetBuilder().AddFolder(images).WithResolution(64).WithBatchSize(2));
        var fault = Assert.Throws<InvalidOptionsException>(() =>
            TinyRun.Bare(folder).WithDataset(data).WithScaledLearningRate().Build());
        Assert.Contains(fault.Problems, problem => problem.Option == "TrainingPlan.ScaleLearningRate");
    }

    private static List<double> Rates(
        TemporaryFolder folder, string name, double rate, bool scaled, out IReadOnlyList<string> warnings)
    {
        var rates = new List<double>();
        using var result = TinyRun.Builder(folder, name).WithGradientAccumulation(2).For(TrainingLength.Steps(2)).WithLearningRate(rate)
            .WithScaledLearningRate(scaled).Train(new Reports(rates));
        warnings = result.Warnings;
        return rates;
    }

    private sealed class Reports(List<double> rates) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            if (value.Phase == TrainingPhase.Training && value.Step > 0) rates.AddRange(value.LearningRates.Values);
        }
    }
}

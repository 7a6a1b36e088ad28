using StableTune.Optimizers;
using StableTune.Testing;
using StableTune.Training;

namespace StableTune.Tests;

/// <summary>Runs with an optimizer that finds its own rate.</summary>
public sealed class OwnRateRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Train_WithProdigy_ReportsDTimesTheRate_UnderTheReferencesNameToo(bool late)
    {
        var reports = new Reports();
        var plan = Builder("rates").For(TrainingLength.Steps(8)).Plan with { ReadsLossLate = late };
        new Trainer(plan).Train(reports);
        double[] rates = [.. reports.Steps.Select(report => report.LearningRates["unet"])];
        Assert.Equal(8, rates.Length);
        Assert.Equal(1e-6, rates[0], 1e-12);
        Assert.True(rates[^1] > 2e-6, $"d has not grown: {rates[^1]}");
        Assert.Equal(rates.Order(), rates);
        Assert.Equal(rates, reports.Steps.Select(report => report.Metrics["lr/d*lr/unet"]));
    }

    [Fact]
    public void Train_ReadingLossesLate_LearnsTheSame()
    {
        var (now, late) = (new Reports(), new Reports());
        var plain = Builder("now").For(TrainingLength.Steps(6)).Train(now);
        var behind = new Trainer(Builder("late").For(TrainingLength.Steps(6)).Plan with { ReadsLossLate = true }).Train(late);
        Assert.Equal(6, behind.Losses.Count);
        Assert.All(plain.Losses.Zip(behind.Losses), pair => Assert.Equal(pair.First, pair.Second, 1e-6));
        Assert.All(now.Steps.Zip(late.Steps), pair =>
            Assert.Equal(pair.First.LearningRates["unet"], pair.Second.LearningRates["unet"], 1e-9));
    }

    [Fact]
    public void Train_WithAdamW_HasNoSuchMetric()
    {
        var reports = new Reports();
        TinyRun.Builder(_folder).Train(reports);
        Assert.All(reports.Steps, report => Assert.Empty(report.Metrics));
    }

    [Fact]
    public void Train_AtARateForOtherOptimizers_IsWarnedOf()
    {
        var observer = new Warned();
        Builder("low").WithLearningRate(1e-4).WithObserver(observer).Train();
        Assert.Contains(observer.Warnings, warning => warning.Contains("\"unet\" is 0.0001: ProdigyOptions finds the rate itself",
            StringComparison.Ordinal));
        observer = new Warned();
        Builder("right").WithObserver(observer).Train();
        Assert.DoesNotContain(observer.Warnings, warning => warning.Contains("ProdigyOptions", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("Prodigy")]
    [InlineData("DAdaptSGD")]
    [InlineData("DAdaptAdan")]
    [InlineData("Muon")]
    public void Resume_ContinuesBitForBit(string kind)
    {
        var options = OptimizerCatalog.Default.Create(kind);
        var whole = Builder("whole").WithOptimizer(options).For(TrainingLength.Steps(6)).Train();
        Builder("part").WithOptimizer(options).For(TrainingLength.Steps(6)).SaveEvery(steps: 3)
            .SaveState(_folder.File("states", "part")).Train();
        var resumed = Builder("resumed").WithOptimizer(options).For(TrainingLength.Steps(6))
            .ResumeFrom(_folder.File("states", "part-step00000003-state")).Train();
        Assert.Equal(TinyRun.Weights(whole.Files[0]), TinyRun.Weights(resumed.Files[0]));
    }

    [Fact]
    public void Metadata_NameTheOptimizerAsTheReferenceDoes()
    {
        var result = Builder("named").WithOptimizer(new ProdigyOptions { WeightDecay = 0.01, DCoef = 2 }).Train();
        Assert.Equal("prodigyopt.prodigy.Prodigy(weight_decay=0.01,d_coef=2.0)", TinyRun.Metadata(result.Files[0])["ss_optimizer"]);
    }

    private TrainerBuilder Builder(string name) =>
        TinyRun.Builder(_folder, name).WithOptimizer(new ProdigyOptions()).WithLearningRate(1);

    private sealed class Warned : ITrainingObserver
    {
        public IReadOnlyList<string> Warnings { get; private set; } = [];

        public void OnStart(TrainingStart start) => Warnings = [.. start.Warnings];
    }
}

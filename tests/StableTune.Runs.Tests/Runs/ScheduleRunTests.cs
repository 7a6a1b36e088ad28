using StableTune.Adapters;
using StableTune.Schedules;
using StableTune.Testing;
using StableTune.Trainables;
using StableTune.Training;

namespace StableTune.Tests;

/// <summary>Schedules of learning rates in runs: for all that is trained, and for one thing alone.</summary>
public sealed class ScheduleRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ATrainable_WithItsOwnSchedule_FollowsIt()
    {
        var reports = new Reports();
        var result = TinyRun.Builder(_folder, "{name}").For(TrainingLength.Steps(4)).WithSchedule(new LinearScheduleOptions())
            .WithLoRA(o => o with { Rank = 1, Layers = new() { Exclude = ["up_blocks"] } }, t => t with
            {
                Name = "second", Schedule = new PointsScheduleOptions { Points = CurvePoints.Parse("0:1, 2:0.5") },
            }).Train(reports);
        double[] Rates(string group) => [.. reports.Steps.Select(step => step.LearningRates[group])];
        Assert.Equal([1e-3, 1e-3 * 0.75, 1e-3 * 0.5, 1e-3 * 0.25], Rates("unet"));
        Assert.Equal([1e-3, 1e-3 * 0.75, 1e-3 * 0.5, 1e-3 * 0.5], Rates("second unet"));
        Assert.Equal(["linear", "points"], result.Files.Order().Select(file => TinyRun.Metadata(file)["ss_lr_scheduler"]));
    }

    [Fact]
    public void ATrainable_WithAScheduleThatCannotWork_NamesTheOption()
    {
        var fault = Assert.Throws<InvalidOptionsException>(() => TinyRun.Bare(_folder).WithImages(TinyRun.Images(_folder), 64)
            .WithLoRA(o => o, t => t with { Name = "second", Schedule = new PlateauScheduleOptions { Factor = 2 } }).Build());
        Assert.Contains("PlateauScheduleOptions.Factor", fault.Message, StringComparison.Ordinal);
        Assert.Contains("PlateauScheduleOptions.Metric is ValidationLoss: no images are held out", fault.Message, StringComparison.Ordinal);
        fault = Assert.Throws<InvalidOptionsException>(() => TinyRun.Builder(_folder)
            .WithSchedule(new PolynomialScheduleOptions { EndRate = 1e-2 }).Build());
        Assert.Contains("PolynomialScheduleOptions.EndRate is 0.01", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(PlateauMetric.ValidationLoss)]
    [InlineData(PlateauMetric.AverageLoss)]
    public void Plateau_LowersTheRate_AndGoesOnFromAStateBitForBit(PlateauMetric metric)
    {
        // An improvement by more than nine tenths does not happen, so that each look lowers the rate.
        TrainerBuilder Run(string name) => Held(name).WithSchedule(new PlateauScheduleOptions
        {
            Metric = metric, EveryNSteps = 1, Patience = 0, Threshold = 0.99, Factor = 0.5,
        });
        var reports = new Reports();
        var whole = Run("whole").SaveState(_folder.File("states", "frog")).SaveEvery(steps: 1).Train(reports);
        double[] factors = [.. reports.Steps.Select(step => step.LearningRates["unet"] / 1e-3)];
        // The first look is the best so far. A loss on held-out images is looked at after the step that follows its measurement.
        Assert.Equal(metric == PlateauMetric.AverageLoss ? [1, 1, 0.5, 0.25, 0.125] : [1, 1, 1, 0.5, 0.25], factors);
        foreach (var step in new[] { 2, 4 })
        {
            var resumed = Run($"from{step}").ResumeFrom(_folder.File("states", $"frog-step{step:D8}-state")).Train();
            Assert.Equal(whole.Losses, resumed.Losses);
            Assert.Equal(TinyRun.Weights(whole.Files[0]), TinyRun.Weights(resumed.Files[0]));
        }

        var late = Run("late").Change(plan => plan with { ReadsLossLate = true }).Train();
        Assert.Equal(whole.Losses, late.Losses);
    }

    [Fact]
    public void Resume_WithAnotherSchedule_TellsWhatDiffers()
    {
        TinyRun.Builder(_folder, "first").WithSchedule(new PiecewiseConstantScheduleOptions { StepRules = StepRules.Parse("1:2,0.1") })
            .SaveState(_folder.File("states", "frog")).Train();
        string Fault(LrScheduleOptions schedule) => Assert.Throws<InvalidFileException>(() => TinyRun.Builder(_folder, "second")
            .WithSchedule(schedule).ResumeFrom(_folder.File("states", "frog-state")).Train()).Message;
        Assert.Contains("Schedule.StepRules is 1:2,0.2, and was 1:2,0.1",
            Fault(new PiecewiseConstantScheduleOptions { StepRules = StepRules.Parse("1:2,0.2") }), StringComparison.Ordinal);
        Assert.Contains("Schedule.Warmup is 2 steps, and was not set",
            Fault(new LinearScheduleOptions { Warmup = Warmup.Steps(2) }), StringComparison.Ordinal);
    }

    private TrainerBuilder Held(string name)
    {
        var images = TinyRun.Images(_folder);
        File.Copy(Path.Combine(images, "0.png"), Path.Combine(images, "held.png"), overwrite: true);
        return TinyRun.Bare(_folder, name).WithDataset(new DatasetBuilder().AddFolder(images)
                .WithOptions(new() { Resolution = new(64, 64), BatchSize = 2, ValidationSplit = 0.2 }))
            .For(TrainingLength.Steps(5)).WithValidation(new ValidationOptions { EveryNSteps = 1, MaxSteps = 1 });
    }
}

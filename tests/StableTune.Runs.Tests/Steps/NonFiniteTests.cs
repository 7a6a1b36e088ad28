using StableTune.Diffusion;
using StableTune.Testing;
using StableTune.Training;

namespace StableTune.Tests.Steps;

/// <summary>Runs in which a loss is no number.</summary>
public sealed class NonFiniteTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 1)]
    [InlineData(false, 2)]
    [InlineData(true, 2)]
    public void Train_WithSkipping_LeavesTheStepOut_AndGoesOn(bool late, int accumulation)
    {
        var (reports, before) = (new Reports(), TinyRun.HeldBefore());
        var plan = Builder("bad", broken: 2 * accumulation).WithGradientAccumulation(accumulation).SkipNonFiniteSteps()
            .SaveEvery(steps: 1).Plan with { ReadsLossLate = late };
        var result = new Trainer(plan).Train(reports);
        Assert.Equal(before, TinyRun.HeldTensors);
        Assert.Equal([true, false, true, true], result.Losses.Select(double.IsFinite));
        Assert.Equal([0, 1, 1, 1], reports.Steps.Select(report => report.Metrics["skipped_steps"]));
        Assert.True(double.IsFinite(result.AverageLoss));
        float[] After(int step) => TinyRun.Weights(TinyRun.StepOutput(_folder, step, "bad"));
        Assert.Equal(After(1), After(2));
        Assert.NotEqual(After(2), After(3));
    }

    /// <summary>The optimizer's count of steps stays behind: what follows is as if the step had never been.</summary>
    [Fact]
    public void Train_WithSkipping_IsTheSameWhetherLossesAreReadLateOrNot()
    {
        float[] Weights(string name, bool late) => TinyRun.Weights(new Trainer(Builder(name, broken: 2).SkipNonFiniteSteps()
            .WithWarmup(Warmup.Steps(3)).WithEma().Plan with { ReadsLossLate = late }).Train().Files[0]);
        Assert.Equal(Weights("now", false), Weights("late", true), (a, b) => MathF.Abs(a - b) < 1e-6f);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Train_WithMoreInARowThanAllowed_EndsTheRun_AndNamesTheLastState(bool late)
    {
        var plan = Builder("bad", broken: 3, last: 99).SkipNonFiniteSteps(mostInARow: 2).For(TrainingLength.Steps(8))
            .SaveState(_folder.File("states", "frog")).SaveEvery(steps: 2).Plan with { ReadsLossLate = late };
        var fault = Assert.Throws<TrainingDivergedException>(() => new Trainer(plan).Train());
        Assert.Equal((5, 2), (fault.Step, fault.SkippedBefore));
        Assert.Equal(_folder.File("states", "frog-step00000004-state"), fault.LastState);
        Assert.Contains("in step 5", fault.Message, StringComparison.Ordinal);
        Assert.Single(fault.Images);
    }

    [Fact]
    public void Build_WithANumberThatCannotBe_NamesIt() =>
        Assert.Equal("NonFiniteOptions.MostInARow", Assert.Single(Assert.Throws<InvalidOptionsException>(() =>
            TinyRun.Builder(_folder).SkipNonFiniteSteps(0).Build()).Problems).Option);

    private TrainerBuilder Builder(string name, int broken, int? last = null) => TinyRun.Builder(_folder, name).WithBatchSize(1)
        .For(TrainingLength.Steps(4)).WithNoise(new Broken(broken, last ?? broken));

    /// <summary>Normal noise, but for some draws.</summary>
    private sealed class Broken(int first, int last) : INoiseSource
    {
        private int _draws;

        public Tensor Draw(Tensor latents, Generator generator)
        {
            using var scope = NewDisposeScope();
            var noise = new NormalNoise().Draw(latents, generator);
            return (++_draws >= first && _draws <= last ? noise * double.NaN : noise).MoveToOuterDisposeScope();
        }
    }
}

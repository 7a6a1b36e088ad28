using StableTune.Testing;
using StableTune.Training;

namespace StableTune.Tests;

/// <summary>A run that is steered while it goes on.</summary>
public sealed class ControlTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly TrainingControl _control = new();

    public void Dispose() => _folder.Dispose();

    private TrainerBuilder Tiny(string name = "tiny") => TinyRun.Builder(_folder, name).WithControl(_control);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Stop_EndsAfterTheStep_AndSavesTheResult(bool late)
    {
        var recorder = new Recorder();
        var result = Tiny().For(TrainingLength.Steps(6)).Change(plan => plan with { ReadsLossLate = late })
            .WithObserver(new When("step 2", _control.Stop)).WithObserver(recorder).Train();
        Assert.True(result.WasStopped);
        Assert.InRange(result.Steps, 2, late ? 3 : 2);
        Assert.Equal(["tiny.safetensors"], TinyRun.Written(_folder));
        Assert.Null(Assert.Single(recorder.Ends).Fault);
        Assert.Equal(6, Tiny("again").For(TrainingLength.Steps(6)).Train().Steps);      // it ends one run only
    }

    [Fact]
    public void SaveNow_AndSampleNow_HappenAfterTheStep()
    {
        var result = Tiny().For(TrainingLength.Steps(3)).WithSamples(new SampleOptions
        {
            Folder = _folder.File("samples"), Before = false, After = false,
            Prompts = [new TextToImageOptions { Width = 64, Height = 64, Steps = 1 }],
        }).WithObserver(new When("step 2", () =>
        {
            _control.SaveNow();
            _control.SampleNow();
        })).Train();
        Assert.Equal(["tiny-step00000002.safetensors", "tiny.safetensors"], TinyRun.Written(_folder));
        Assert.Contains(result.Samples, file => Path.GetFileName(file).StartsWith("000002_", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Pause_HoldsTheRun_UntilItIsLetGoOn()
    {
        var recorder = new Recorder();
        var run = Tiny().For(TrainingLength.Steps(3)).WithObserver(new When("step 1", _control.Pause)).WithObserver(recorder).TrainAsync();
        while (!_control.IsPaused) await Task.Delay(10);
        await Task.Delay(300);
        Assert.DoesNotContain("step 2", recorder.Events);
        Assert.False(run.IsCompleted);
        _control.SaveNow();                                                  // asked meanwhile, done when it goes on
        _control.Resume();
        Assert.Equal(3, (await run).Steps);
        Assert.Contains("tiny-step00000001.safetensors", TinyRun.Written(_folder));
    }

    [Fact]
    public async Task Pause_IsEndedByCancelling()
    {
        using var source = new CancellationTokenSource();
        var run = Tiny().WithObserver(new When("step 1", _control.Pause)).TrainAsync(cancellationToken: source.Token);
        while (!_control.IsPaused) await Task.Delay(10);
        source.CancelAfter(100);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
        Assert.Contains("tiny-step00000001.safetensors", TinyRun.Written(_folder));
    }

    /// <summary>The next step has the new rate, and so has a run that goes on from a state.</summary>
    [Fact]
    public void ChangeRate_CountsFromTheNextStep_AndIsPartOfTheState()
    {
        var rates = new List<double>();
        TrainerBuilder Run(int steps, TrainingControl control) => TinyRun.Builder(_folder).Overwrite().WithControl(control)
            .For(TrainingLength.Steps(steps)).WithObserver(new Rates(rates)).SaveState(_folder.File("states", "tiny"));
        Run(3, _control).WithObserver(new When("step 1", () => _control.ChangeRate(0.5)))
            .WithObserver(new When("step 2", () => _control.ChangeRate(0.25, "unet"))).Train();
        Assert.Equal([1e-3, 0.5e-3, 0.25e-3], rates);
        rates.Clear();
        Run(5, new TrainingControl()).ResumeFrom(_folder.File("states", "tiny-state")).Train();
        Assert.Equal([0.25e-3, 0.25e-3], rates);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(double.NaN)]
    public void ChangeRate_ToNoFactor_IsRefused(double factor) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => _control.ChangeRate(factor));

    [Fact]
    public void EarlyStopping_EndsWhenTheLossFallsNoMore()
    {
        var result = TinyRun.Bare(_folder).WithDataset(new DatasetBuilder().AddFolder(TinyRun.Images(_folder))
                .WithOptions(new() { Resolution = new(64, 64), ValidationSplit = 0.5, ValidationSeed = 1 }))
            .WithLearningRate(1e-12).For(TrainingLength.Steps(9)).WithValidation(new ValidationOptions { EveryNSteps = 1 })
            .WithEarlyStopping(patience: 2, leastFall: 0.01).Train();
        Assert.Equal((3, true), (result.Steps, result.WasStopped));
    }

    [Fact]
    public void EarlyStopping_WithoutPatience_IsRefused() => Assert.Contains("at least one validation",
        Assert.Throws<InvalidOptionsException>(() => Tiny().WithEarlyStopping(0).Build()).Message, StringComparison.Ordinal);

    /// <summary>Does something at a step.</summary>
    private sealed class When(string what, Action act) : ITrainingObserver
    {
        public IEnumerable<OptionProblem> Validate() => [];

        public void OnStep(TrainingProgress progress)
        {
            if ($"step {progress.Step}" == what) act();
        }
    }

    private sealed class Rates(List<double> rates) : ITrainingObserver
    {
        public IEnumerable<OptionProblem> Validate() => [];

        public void OnStep(TrainingProgress progress) => rates.Add(progress.LearningRates["unet"]);
    }
}

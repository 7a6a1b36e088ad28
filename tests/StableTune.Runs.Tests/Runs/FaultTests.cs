using Microsoft.Extensions.Logging;
using StableTune.Diffusion;
using StableTune.Schedules;
using StableTune.Losses;
using StableTune.Testing;
using StableTune.Training;

namespace StableTune.Tests;

/// <summary>Something breaks in the middle of a run: the fault surfaces, and the last good weights are there.</summary>
public sealed class FaultTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly InvalidTimeZoneException _fault = new("a host's own fault");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("step 2")]
    [InlineData("epoch 1")]
    [InlineData("save Step 2")]
    public void Train_AnObserverThrows_SavesTheLastGoodWeights_AndTellsTheOthersOnce(string when)
    {
        var (first, last) = (new Recorder(), new Recorder());
        var before = TinyRun.HeldBefore();
        var builder = Tiny().SaveEvery(steps: 2).WithObserver(first).WithObserver(Throwing(when)).WithObserver(last);
        Assert.Same(_fault, Assert.Throws<InvalidTimeZoneException>(() => builder.Train()));

        Assert.Equal(before, TinyRun.HeldTensors);
        Assert.Equal(["tiny-step00000002.safetensors"], TinyRun.Written(_folder));
        Assert.Equal(["save Interrupted 2", "end 2"], first.Events[^2..]);
        Assert.Equal(["save Interrupted 2", "end 2"], last.Events[^2..]);
        Assert.All([first, last], r => Assert.Same(_fault, Assert.Single(r.Ends).Fault));
        Tiny("whole").For(TrainingLength.Steps(2)).Train();
        Assert.Equal(TinyRun.Weights(TinyRun.Output(_folder, "whole")), TinyRun.Weights(TinyRun.StepOutput(_folder, 2)));
    }

    [Fact]
    public void Train_TheProgressThrowsAlways_StillSavesTheLastGoodWeights()
    {
        var reports = new Reports(r => { if (r.Step > 0 && r.Phase is TrainingPhase.Training or TrainingPhase.Saving) throw _fault; });
        Assert.Same(_fault, Assert.Throws<InvalidTimeZoneException>(() => Tiny().Train(reports)));
        Assert.Equal(["tiny-step00000001.safetensors"], TinyRun.Written(_folder));
    }

    [Fact]
    public void Train_ObserversAndProgressThrow_TellsEachKindOnce_CountsAll_AndGoesOnAsIfNothingWere()
    {
        var (logger, other) = (new ListLogger(), new Recorder());
        var reports = new Reports(report => { if (report.Step == 2 && report.Phase == TrainingPhase.Training) throw _fault; });
        var throwing = new Recorder { Before = what => throw (what == "step 2" ? new IOException("full") : _fault) };
        var result = TinyRun.Builder(_folder).WithLogger(logger).WithObserver(throwing).WithObserver(other)
            .WithObserver(new Forgetful()).SaveState(_folder.File("states", "tiny")).SaveEvery(steps: 2).Train(reports);
        var plain = Tiny("plain").Train();
        Assert.Equal(plain.Losses, result.Losses);
        Assert.Equal(TinyRun.Weights(plain.Files[0]), TinyRun.Weights(result.Files[0]));
        Assert.Contains("end 3", other.Events);
        (string, string, int)[] expected =
        [
            ("Recorder", "OnStart", 1), ("Recorder", "OnStep", 2), ("Reports", "Report", 1), ("Recorder", "OnStep", 1),
            ("Forgetful", "Save", 2), ("Recorder", "OnSave", 2), ("Recorder", "OnEpoch", 2), ("Recorder", "OnEnd", 1),
        ];
        Assert.Equal(expected.Order(), result.ObserverFaults.Select(fault => (fault.Observer, fault.Event, fault.Count)).Order());
        Assert.Equal("Recorder failed 2 times in OnStep: a host's own fault", result.ObserverFaults[1].ToString());
        Assert.Equal(8, logger.Entries.Count(entry => entry is { Id: 12, Level: LogLevel.Error }));
        // The state is there, without what could not say what it remembers.
        Assert.Equal(5, TinyRun.Builder(_folder, "resumed").For(TrainingLength.Steps(5)).WithObserver(new Forgetful())
            .ResumeFrom(_folder.File("states", "tiny-state")).Train().Steps);
    }

    /// <summary>Where losses are read late an observer is told in the middle of a step: the run ends after it, with its state.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Train_AnObserverThrows_AndThatIsToEndTheRun_SavesTheStateBefore(bool late)
    {
        var plan = TinyRun.Builder(_folder).StopOnObserverFault().WithObserver(Throwing("step 3"))
            .SaveState(_folder.File("states", "tiny")).For(TrainingLength.Steps(9)).Plan;
        Assert.Same(_fault, Assert.Throws<InvalidTimeZoneException>(() => new Trainer(plan with { ReadsLossLate = late }).Train()));
        Assert.Equal(9, TinyRun.Builder(_folder, "resumed").ResumeFromLatest(_folder.File("states")).For(TrainingLength.Steps(9)).Train()
            .Steps);
        Assert.NotEmpty(Directory.GetDirectories(_folder.File("states"), "*-state"));
    }

    [Fact]
    public void Train_AnObserverCancels_CancelsTheRun()
    {
        var cancelling = new Recorder { Before = what => { if (what == "step 2") throw new OperationCanceledException("enough"); } };
        Assert.Throws<OperationCanceledException>(() => TinyRun.Builder(_folder).WithObserver(cancelling).Train());
        Assert.Equal(["tiny-step00000002.safetensors"], TinyRun.Written(_folder));
    }

    [Theory]
    [InlineData(SaveReason.Step, "tiny-step00000002.safetensors")]
    [InlineData(SaveReason.End, "tiny-step00000003.safetensors")]
    public void Train_ASaverThrows_TheOthersSave(SaveReason when, string expected)
    {
        var (saver, recorder) = (new FailingSaver(m => m.Reason == when || m.Reason == SaveReason.Interrupted, _fault), new Recorder());
        var builder = Tiny().SaveEvery(steps: 2).WithObserver(recorder);
        var trainer = WithSavers(builder, saver, new TrainableSaver(TinyRun.Output(_folder)));
        Assert.Same(_fault, Assert.Throws<InvalidTimeZoneException>(() => trainer.Train()));
        Assert.Equal([when, SaveReason.Interrupted], saver.Asked[^2..]);
        Assert.Contains(expected, TinyRun.Written(_folder));
        Assert.DoesNotContain("tiny.safetensors", TinyRun.Written(_folder));
        Assert.Same(_fault, Assert.Single(recorder.Ends).Fault);
    }

    [Fact]
    public void Train_AnObserverThrowsAtTheEnd_HidesNothing_AndLosesNothing()
    {
        var (last, logger) = (new Recorder(), new ListLogger());
        Assert.Same(_fault, Assert.Throws<InvalidTimeZoneException>(() =>
            Tiny().For(TrainingLength.Steps(1)).WithObserver(Throwing("end 1")).WithObserver(last).Train()));
        Assert.Equal(["tiny.safetensors"], TinyRun.Written(_folder));
        Assert.Null(Assert.Single(last.Ends).Fault);

        var other = new InvalidTimeZoneException("what ended the run");
        var recorder = new Recorder { Before = what => { if (what == "step 1") throw other; } };
        Assert.Same(other, Assert.Throws<InvalidTimeZoneException>(() =>
            Tiny("second").WithLogger(logger).WithObserver(Throwing("end 1")).WithObserver(recorder).Train()));
        Assert.Contains(logger.Entries, e => e is { Level: LogLevel.Error, Id: 12 } && e.Fault == _fault);
    }

    [Fact]
    public void Train_SamplesFailAfterTheLastSave_KeepsTheResultOnly()
    {
        var samples = _folder.Folder("samples");
        var recorder = new Recorder { Before = what =>
            { if (what == "save End 1") { Directory.Delete(samples, true); File.WriteAllText(samples, ""); } } };
        Assert.ThrowsAny<IOException>(() => Tiny().For(TrainingLength.Steps(1)).WithObserver(recorder)
            .WithSamples(new SampleOptions { Folder = samples, Before = false,
                Prompts = [new TextToImageOptions { Width = 64, Height = 64, Steps = 1 }] }).Train());
        Assert.Equal(["tiny.safetensors"], TinyRun.Written(_folder));
        Assert.IsAssignableFrom<IOException>(Assert.Single(recorder.Ends).Fault);
    }

    [Fact]
    public void Train_ImagesVanish_NamesOne_SavesAndLeavesNoTensors()
    {
        var before = TinyRun.HeldBefore();
        var reports = new Reports(r =>
        {
            if (r is not { Phase: TrainingPhase.Training, Step: 1 }) return;
            foreach (var image in Directory.GetFiles(TinyRun.Images(_folder), "*.png")) File.Delete(image);
        });
        // Steps of three batches: the loader's thread is ahead by two, so the second step breaks half-way.
        var builder = TinyRun.Bare(_folder).WithCachedLatents(false).WithGradientAccumulation(3).WithDataset(new DatasetBuilder()
            .AddFolder(TinyRun.Images(_folder), repeats: 20).WithResolution(64).WithBatchSize(2));
        var fault = Assert.Throws<InvalidFileException>(() => builder.Train(reports));
        Assert.StartsWith(TinyRun.Images(_folder), fault.Path, StringComparison.Ordinal);
        Assert.NotEmpty(fault.Remedy);
        Assert.Equal(["tiny-step00000001.safetensors"], TinyRun.Written(_folder));
        Assert.Equal(before, TinyRun.HeldTensors);
    }

    [Fact]
    public void Train_NoiseBecomesNaN_EndsWithTheImagesAndTheWeightsBefore()
    {
        var (recorder, before) = (new Recorder(), TinyRun.HeldTensors);
        var fault = Assert.Throws<TrainingDivergedException>(() =>
            Tiny().WithNoise(new BrokenNoise(from: 3)).WithObserver(recorder).Train());
        Assert.Equal(before, TinyRun.HeldTensors);
        Assert.Equal("loss", fault.Quantity);
        Assert.True(double.IsNaN(fault.Value));
        Assert.Equal(2, fault.Images.Count);
        Assert.All(fault.Images, image => Assert.Contains(image, fault.Message));
        Assert.All(fault.Images, image => Assert.True(File.Exists(image)));
        Assert.Equal(["tiny-step00000002.safetensors"], TinyRun.Written(_folder));
        Assert.Equal(["save Interrupted 2", "end 2"], recorder.Events[^2..]);
        Tiny("whole").For(TrainingLength.Steps(2)).Train();
        Assert.Equal(TinyRun.Weights(TinyRun.Output(_folder, "whole")), TinyRun.Weights(TinyRun.StepOutput(_folder, 2)));
    }

    [Fact]
    public void Train_NaNInTheFirstStep_SavesNothing()
    {
        Assert.Throws<TrainingDivergedException>(() => Tiny().WithNoise(new BrokenNoise(from: 1)).Train());
        Assert.Empty(TinyRun.Written(_folder));
    }

    [Theory]
    [InlineData(1.0)]
    [InlineData(null)]
    public void Train_GradientsBecomeNaN_TakesNoStep_WhetherTheyAreClippedOrNot(double? clip)
    {
        var fault = Assert.Throws<TrainingDivergedException>(() =>
            Tiny().WithLoss(new SharpLoss(from: 2)).WithMaxGradientNorm(clip).Train());
        Assert.Equal("norm of the gradients", fault.Quantity);
        Assert.Contains("norm of the gradients became", fault.Message);
        Assert.All(TinyRun.Weights(TinyRun.StepOutput(_folder, 1)), w => Assert.True(float.IsFinite(w)));
    }

    [Fact]
    public void Train_TheScheduleGivesNoNumber_TakesNoStep_AndLeavesNoTensors()
    {
        var before = TinyRun.HeldBefore();
        var fault = Assert.Throws<InvalidOperationException>(() => Tiny().WithSchedule(new BrokenSchedule()).Train());
        Assert.Contains("\"broken\" gave NaN for step 1", fault.Message);
        Assert.All(TinyRun.Weights(TinyRun.StepOutput(_folder, 1)), w => Assert.True(float.IsFinite(w)));
        Assert.Equal(before, TinyRun.HeldTensors);
    }

    [Fact]
    public void Train_FailsBeforeTheEnd_LeavesAnOlderResultAsItWas()
    {
        Directory.CreateDirectory(_folder.File("out"));
        File.WriteAllText(TinyRun.Output(_folder), "an older result");
        Assert.Equal("TrainableSaver.Path", Assert.Single(Assert.Throws<InvalidOptionsException>(() => Tiny().Train()).Problems).Option);
        Assert.ThrowsAny<Exception>(() => Tiny().Overwrite().WithObserver(Throwing("step 2")).Train());
        Assert.Equal("an older result", File.ReadAllText(TinyRun.Output(_folder)));
        Tiny().Overwrite().Train();
        Assert.NotEmpty(TinyRun.Weights(TinyRun.Output(_folder)));
    }

    private TrainerBuilder Tiny(string name = "tiny") => TinyRun.Builder(_folder, name).StopOnObserverFault();

    private Recorder Throwing(string when) => new() { Before = what => { if (what == when) throw _fault; } };

    /// <summary>The same run with these savers, in this order.</summary>
    private static Trainer WithSavers(TrainerBuilder builder, params ISaver[] savers) => new(builder.Plan with { Savers = [.. savers] });

    /// <summary>Cannot say what it remembers.</summary>
    private sealed class Forgetful : ITrainingObserver, IResumable
    {
        public string Name => "forgetful";

        public IEnumerable<OptionProblem> Validate() => [];

        public void Save(StateWriter writer)
        {
            writer.Number("half", 1);
            throw new InvalidTimeZoneException("forgotten");
        }

        public void Load(StateReader reader) => Assert.Fail("nothing of it was written");
    }

    /// <summary>Normal noise at first, NaN from some draw on.</summary>
    private sealed class BrokenNoise(int from) : INoiseSource
    {
        private int _draws;

        public Tensor Draw(Tensor latents, Generator generator)
        {
            using var scope = NewDisposeScope();
            var noise = new NormalNoise().Draw(latents, generator);
            return (++_draws >= from ? noise * double.NaN : noise).MoveToOuterDisposeScope();
        }
    }

    private sealed record BrokenSchedule : LrScheduleOptions
    {
        public override string Name => "broken";

        public override ILrSchedule Create(int totalSteps) => new Divided();

        private sealed class Divided : ILrSchedule
        {
            public double Factor(int step) => step == 0 ? 1 : 0.0 / (step - 1);
        }
    }

    /// <summary>A loss that is finite, with a slope that is not.</summary>
    private sealed class SharpLoss(int from) : ILoss
    {
        private int _calls;

        public Tensor PerElement(Tensor predicted, Tensor target, NoiseSchedule schedule, Tensor timesteps)
        {
            using var scope = NewDisposeScope();
            var loss = (predicted - target).pow(2);
            if (++_calls >= from) loss = loss + (predicted - predicted.detach()).pow(2).sqrt();
            return loss.MoveToOuterDisposeScope();
        }
    }
}

using StableTune.Testing;
using StableTune.Training;

namespace StableTune.Tests;

/// <summary>A run that is stopped by its host: where it ends, and what is left.</summary>
public sealed class CancellationTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Train_CancelledInAStep_EndsAfterIt_SavesItsWeights_AndTells()
    {
        using var source = new CancellationTokenSource();
        var (recorder, before) = (new Recorder(), TinyRun.HeldTensors);
        Assert.ThrowsAny<OperationCanceledException>(() =>
            Tiny().For(TrainingLength.Steps(5)).WithObserver(recorder).Train(Reports.CancelAt(2, source), source.Token));

        Assert.Equal(before, TinyRun.HeldTensors);
        Assert.Equal(["tiny-step00000002.safetensors"], TinyRun.Written(_folder));
        Assert.Equal(["start", "step 1", "step 2", "save Interrupted 2", "end 2"], recorder.Events);
        Assert.IsAssignableFrom<OperationCanceledException>(Assert.Single(recorder.Ends).Fault);
        Assert.Equal("2", TinyRun.Metadata(TinyRun.StepOutput(_folder, 2))["ss_steps"]);
        Tiny("whole").For(TrainingLength.Steps(2)).Train();
        Assert.Equal(TinyRun.Weights(TinyRun.Output(_folder, "whole")), TinyRun.Weights(TinyRun.StepOutput(_folder, 2)));
    }

    [Fact]
    public void Train_CancelledBeforeTheStart_DoesNothing()
    {
        var (recorder, reports, before) = (new Recorder(), new Reports(), TinyRun.HeldTensors);
        Assert.ThrowsAny<OperationCanceledException>(() =>
            Tiny().WithObserver(recorder).Train(reports, new CancellationToken(canceled: true)));
        Assert.Empty(recorder.Events);
        Assert.Empty(reports.All);
        Assert.Empty(TinyRun.Written(_folder));
        Assert.Equal(before, TinyRun.HeldTensors);
    }

    [Theory]
    [InlineData("loading")]
    [InlineData("caching latents")]
    public void Train_CancelledInPreparation_EndsBeforeTheFirstStep(string stage)
    {
        using var source = new CancellationTokenSource();
        var (recorder, before) = (new Recorder(), TinyRun.HeldTensors);
        var reports = new Reports(r =>
        {
            if (r.Stage().StartsWith(stage, StringComparison.Ordinal)) source.Cancel();
        });
        Assert.ThrowsAny<OperationCanceledException>(() => Tiny().WithObserver(recorder).Train(reports, source.Token));
        Assert.Empty(recorder.Events);
        Assert.StartsWith(stage, reports.All[^1].Stage(), StringComparison.Ordinal);
        Assert.Empty(TinyRun.Written(_folder));
        Assert.Equal(before, TinyRun.HeldTensors);
    }

    [Fact]
    public void Train_CancelledWhenItStarts_TakesNoStep_AndSavesNothing()
    {
        using var source = new CancellationTokenSource();
        var recorder = new Recorder { Before = what => { if (what == "start") source.Cancel(); } };
        Assert.ThrowsAny<OperationCanceledException>(() => Tiny().WithObserver(recorder).Train(cancellationToken: source.Token));
        Assert.Equal(["start", "end 0"], recorder.Events);
        Assert.Empty(TinyRun.Written(_folder));
    }

    [Fact]
    public void Train_CancelledInTheLastStep_IsDoneAnyway()
    {
        using var source = new CancellationTokenSource();
        var result = Tiny().Train(Reports.CancelAt(3, source), source.Token);
        Assert.Equal(3, result.Steps);
        Assert.Equal(["tiny.safetensors"], TinyRun.Written(_folder));
    }

    [Fact]
    public void Train_CancelledButNotSaved_FailsWithTheReasonAndSavesElsewhere()
    {
        using var source = new CancellationTokenSource();
        var (fault, recorder) = (new IOException("the disk is full"), new Recorder());
        var builder = Tiny().SaveTo(new FailingSaver(_ => true, fault)).SaveTo(TinyRun.Output(_folder, "second")).WithObserver(recorder);
        Assert.Same(fault, Assert.Throws<IOException>(() => builder.Train(Reports.CancelAt(1, source), source.Token)));
        Assert.Equal(["second-step00000001.safetensors", "tiny-step00000001.safetensors"], TinyRun.Written(_folder));
        Assert.Same(fault, Assert.Single(recorder.Ends).Fault);
    }

    [Fact]
    public async Task TrainAsync_RunsOnAThreadOfItsOwn_AndGivesWhatTrainGives()
    {
        var recorder = new Recorder();
        var (caller, before) = (Environment.CurrentManagedThreadId, TinyRun.HeldTensors);
        var task = Tiny("async").WithObserver(recorder).TrainAsync(new Reports());
        var result = await task;
        Assert.NotEqual(caller, recorder.Thread);
        Assert.Equal(before, TinyRun.HeldTensors);
        var again = Tiny("sync").Train();
        Assert.Equal(again.Losses, result.Losses);
        Assert.Equal(TinyRun.Weights(again.Files[0]), TinyRun.Weights(result.Files[0]));
    }

    [Fact]
    public async Task TrainAsync_Cancelled_IsACancelledTask_WithTheWeightsSaved()
    {
        using var source = new CancellationTokenSource();
        var task = Tiny().For(TrainingLength.Steps(50)).TrainAsync(Reports.CancelAt(2, source), source.Token);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => task);
        Assert.True(task.IsCanceled);
        Assert.Equal(["tiny-step00000002.safetensors"], TinyRun.Written(_folder));
    }

    [Fact]
    public async Task TrainAsync_Faulted_ThrowsTheFaultItself()
    {
        var fault = new InvalidTimeZoneException("a host's own fault");
        var recorder = new Recorder { Before = what => { if (what == "step 1") throw fault; } };
        Assert.Same(fault, await Assert.ThrowsAsync<InvalidTimeZoneException>(() => Tiny().StopOnObserverFault()
            .WithObserver(recorder).TrainAsync()));
    }

    private TrainerBuilder Tiny(string name = "tiny") => TinyRun.Builder(_folder, name);
}

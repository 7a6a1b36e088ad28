using StableTune.Testing;
using StableTune.Training;

namespace StableTune.Tests.Several;

/// <summary>Several devices in one process: the CPU named twice or three times.</summary>
public sealed class DeviceRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("cached")]
    [InlineData("live")]
    [InlineData("word")]
    [InlineData("whole")]
    public void Train_OnTwoDevices_LearnsWhatOneLearnsFromTwiceTheBatch(string kind)
    {
        var one = Builder(kind, "one", batch: 4).On("cpu").Train();
        var two = Builder(kind, "two", batch: 2).On("cpu,cpu").Train();
        SharedRuns.AssertClose(one, two);
    }

    /// <summary>Eight images make batches of three, three and two: of the last, one device has none.</summary>
    [Fact]
    public void Train_OnThreeDevices_CountsAShortBatchBySample()
    {
        var one = Builder("cached", "one", batch: 3).On("cpu").Train();
        var three = Builder("cached", "three", batch: 1).On("cpu,cpu,cpu").Train();
        SharedRuns.AssertClose(one, three);
    }

    [Fact]
    public void Train_OnTwoDevicesAgain_GivesTheSameBits()
    {
        var first = Builder("live", "first", batch: 1).On("cpu,cpu").Train();
        var second = Builder("live", "second", batch: 1).On("cpu,cpu").Train();
        Assert.Equal(first.Losses, second.Losses);
        Assert.Equal(TinyRun.Weights(first.Files[0]), TinyRun.Weights(second.Files[0]));
    }

    [Fact]
    public void Resume_GoesOnAsIfItHadNotStopped_AndOnOneDeviceToo()
    {
        TrainerBuilder Run(string name, int steps, int batch) => Builder("live", name, batch).For(TrainingLength.Steps(steps));
        var whole = Run("whole", 4, 2).On("cpu,cpu").Train();
        Run("begun", 2, 2).On("cpu,cpu").SaveState(_folder.File("states", "frog")).Train();
        var two = Run("two", 4, 2).On("cpu,cpu").ResumeFrom(_folder.File("states", "frog-state")).Train();
        Assert.Equal(whole.Losses, two.Losses);
        Assert.Equal(TinyRun.Weights(whole.Files[0]), TinyRun.Weights(two.Files[0]));
        var one = Run("one", 4, 4).On("cpu").ResumeFrom(_folder.File("states", "frog-state")).Train();
        SharedRuns.AssertClose(whole, one);
    }

    [Fact]
    public void Train_GivesBackEveryTensor_AndHoldsAsManyAfterEachStep()
    {
        var before = TinyRun.HeldBefore();
        var counts = new List<long>();
        Builder("live", "held", batch: 1).For(TrainingLength.Steps(6)).On("cpu,cpu").Train(new Reports(r =>
        {
            if (r.Phase == TrainingPhase.Training) counts.Add(TinyRun.HeldTensors);
        }));
        Assert.Equal(before, TinyRun.HeldTensors);
        Assert.Single(counts.Skip(1).Distinct());
    }

    /// <summary>A step is told with the losses of all samples, whichever device computed them; the file says what each had.</summary>
    [Fact]
    public void Train_TellsTheSamplesOfAllDevices_AndTheBatchOfEach()
    {
        var steps = new Reports();
        var result = Builder("cached", "told", batch: 2).On("cpu,cpu").Train(steps);
        Assert.All(steps.Steps, step => Assert.Equal(4, step.Samples.Count));
        Assert.Equal(("2", "4"), (TinyRun.Metadata(result.Files[0])["ss_batch_size_per_device"],
            TinyRun.Metadata(result.Files[0])["ss_total_batch_size"]));
    }

    [Fact]
    public void Train_AFaultOnAFurtherDevice_ReachesTheCaller_AndNothingIsLeft()
    {
        var before = TinyRun.HeldBefore();
        var broken = new InvalidOperationException("broken");
        var calls = 0;
        var builder = Builder("cached", "broken", batch: 1).On("cpu,cpu").Change(plan => plan with
        {
            Stages = plan.Stages with { Context = new Failing(() => Interlocked.Increment(ref calls) > 1 ? throw broken : broken) },
        });
        Assert.Same(broken, Assert.Throws<InvalidOperationException>(() => builder.Train()));
        Assert.Equal(before, TinyRun.HeldTensors);
    }

    /// <summary>The second device has run backward when the first one's loss turns out to be none: nothing of that may stay.</summary>
    [Fact]
    public void Train_AStepThatIsLeftOut_LeavesNoGradientsOnAnyDevice()
    {
        TrainerBuilder Run(string name, int batch) => Builder("cached", name, batch).Change(plan => plan with
        {
            NonFinite = plan.NonFinite with { Skip = true }, Stages = plan.Stages with { Latents = new BrokenOnce() },
        });
        var one = Run("one", batch: 4).On("cpu").Train();
        var two = Run("two", batch: 2).On("cpu,cpu").Train();
        Assert.Equal([false, true, true], two.Losses.Select(double.IsFinite));
        SharedRuns.AssertClose(one.Files[0], two.Files[0]);
    }

    [Theory]
    [InlineData("cpu,tpu", "\"tpu\" is no device")]
    [InlineData("cpu,", "\"\" is no device")]
    [InlineData("cpu,1", "\"1\" is no device")]
    public void On_WhatIsNoDevice_IsRefused(string devices, string message) => Assert.StartsWith(message,
        Assert.Throws<ArgumentException>(() => new TrainerBuilder().On(devices)).Message, StringComparison.Ordinal);

    [Fact]
    public void On_ByName_TakesNumbersAfterAKind()
    {
        static string[] Of(string devices) =>
            [.. new TrainerBuilder().On(devices).Plan.Distributed.Devices.Select(device => device.ToString())];
        Assert.Equal(["cuda:0", "cuda:1", "cuda:3"], Of("cuda:0,1,3"));
        Assert.Equal(["cuda:0", "cuda:2"], Of("cuda:0, cuda:2"));
        Assert.Equal(["cpu", "cpu"], Of("cpu,cpu"));
        Assert.Empty(Of("cuda:1"));
    }

    [Fact]
    public void Build_RefusesWhatSeveralDevicesCannotDo()
    {
        string Message(Func<TrainerBuilder, TrainerBuilder> change) => Assert.Throws<InvalidOptionsException>(() =>
            change(Builder("cached", "refused", 1).On("cpu,cpu")).Build()).Message;
        Assert.Contains("a fused backward pass steps parameters before", Message(builder => builder.WithFusedBackward()
            .WithMaxGradientNorm(null)));
        Assert.Contains("DistributedOptions.Timeout is 00:00:00", Message(builder => builder.WithDistributed(distributed =>
            distributed with { Timeout = TimeSpan.Zero })));
        if (!cuda.is_available()) Assert.Contains("DistributedOptions.Devices", Message(builder => builder.On("cuda:0,1")));
    }

    private TrainerBuilder Builder(string kind, string name, int batch) => SharedRuns.Builder(_folder, kind, name, batch);

    /// <summary>The first sample of the run is no number; on the device that has it.</summary>
    private sealed class BrokenOnce : ILatentStage
    {
        public Tensor Latents(Data.Batch batch)
        {
            var latents = batch.Latents!.clone();
            if (batch is { Epoch: 1, Index: 0, Share.First: 0 }) latents[0].fill_(float.NaN);
            return latents;
        }
    }

    private sealed class Failing(Func<Exception> fault) : IContextStage
    {
        public Tensors.TextConditions Context(Data.Batch batch)
        {
            _ = fault();
            return new Tensors.TextConditions(zeros(batch.Count, 77, 48));
        }
    }
}
